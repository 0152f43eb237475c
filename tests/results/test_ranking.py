"""Rankings and their measures: by hand, by exhaustive sorting, and by ir-measures where it is installed."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from runner.results.ranking import ndcg, recall, reciprocal_rank
from runner.results.vector_index import DEPTH, nearest, ranking


def test_measures_by_hand() -> None:
    """Three relevant documents, of grades 3, 1 and 1; the first two are ranked second and third."""
    ranked, judged = [0, 3, 1], [1, 3, 0, 1]
    ideal = 3 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert ndcg(ranked, judged, 10) == pytest.approx((3 / log2(3) + 1 / log2(4)) / ideal)
    assert ndcg(ranked, judged, 1) == 0
    assert ndcg([3, 1, 1], judged, 10) == 1
    assert (reciprocal_rank(ranked, 10), reciprocal_rank(ranked, 1)) == (1 / 2, 0)
    assert (recall(ranked, judged, 10), recall(ranked, judged, 2)) == (2 / 3, 1 / 3)


def test_a_grade_below_0_is_not_relevant_and_gains_nothing() -> None:
    assert ndcg([-1, 2], [2, -1], 10) == pytest.approx(1 / log2(3))
    assert (reciprocal_rank([-1, 2], 10), recall([-1], [-1], 10), ndcg([0], [0], 10)) == (1 / 2, 0, 0)


def test_the_nearest_documents_come_first() -> None:
    chance = np.random.default_rng(0)
    queries, documents = chance.normal(size=(130, 8)), chance.normal(size=(300, 8))
    cosines = (queries @ documents.T) / np.linalg.norm(documents, axis=1)
    found = nearest(queries, documents)
    assert found == [np.argsort(-row)[:DEPTH].tolist() for row in cosines]


def test_of_equal_scores_the_first_comes_first() -> None:
    scores = np.array([0.5] * 70 + [0.9] + [0.5] * 70)
    assert ranking(scores) == [70, *range(70), *range(71, 100)]
    assert ranking(np.array([0.1, 0.3])) == [1, 0]


def test_what_is_no_number_has_no_ranking() -> None:
    documents = np.eye(3)
    assert nearest(np.array([[1.0, 0, 0], [np.nan, 0, 0]]), documents) == [[0, 1, 2], None]
    assert nearest(np.eye(3)[:1], np.array([[np.inf, 0, 0]])) == [None]


def test_int8_vectors_are_nearly_the_same() -> None:
    """Each dimension has a step of 1/255 of its range, so a cosine moves by at most about √width × range ÷ 510."""
    chance = np.random.default_rng(3)
    queries, documents = chance.normal(size=(20, 64)), chance.normal(size=(500, 64))
    exact, rounded = nearest(queries, documents), nearest(queries, documents, "int8")
    assert exact != rounded
    shared = [len({*a[:10]} & {*b[:10]}) / 10 for a, b in zip(exact, rounded, strict=True) if a and b]
    assert np.mean(shared) > 0.95


def test_binary_vectors_are_ranked_by_hand() -> None:
    """The first document has both signs of the query, the second one, and the third none."""
    documents = np.array([[-0.9, -0.1], [0.1, -0.9], [5.0, 0.2]])
    assert nearest(np.array([[0.3, 0.8]]), documents, "binary") == [[2, 1, 0]]
    assert nearest(np.array([[0.8, 0.3]]), documents, "binary") == [[2, 1, 0]]


def test_binary_vectors_find_by_signs_alone() -> None:
    """A near document whose signs differ is not among the 400 found, although its product with the query is highest."""
    chance = np.random.default_rng(4)
    query = np.concatenate([[100.0], np.full(32, -0.1)])
    alike = np.concatenate([np.ones((900, 1)) * -1, -np.abs(chance.normal(size=(900, 32)))], axis=1)
    other = np.concatenate([[1.0], np.ones(32)])
    (found,) = nearest(query[None], np.vstack([alike, other]), "binary")
    assert found is not None
    assert 900 not in found
    assert nearest(query[None], np.vstack([alike, other]))[0][0] == 900  # type: ignore[index]


def test_measures_are_those_of_ir_measures() -> None:
    """Random rankings of 150 documents, of which 40 have a grade from -1 to 3."""
    library = pytest.importorskip("ir_measures")
    measures = [library.nDCG @ 10, library.RR @ 10, library.R @ 10, library.R @ 100]
    chance = np.random.default_rng(1)
    for _ in range(20):
        grades = dict(zip(chance.permutation(150)[:40].tolist(), chance.integers(-1, 4, 40).tolist(), strict=True))
        order = chance.permutation(150)[:DEPTH].tolist()
        qrels = {"q": {f"d{place}": grade for place, grade in grades.items()}}
        run = {"q": {f"d{place}": float(-rank) for rank, place in enumerate(order)}}
        expected = library.calc_aggregate(measures, qrels, run)
        ranked, judged = [grades.get(place, 0) for place in order], list(grades.values())
        found = [
            ndcg(ranked, judged, 10),
            reciprocal_rank(ranked, 10),
            recall(ranked, judged, 10),
            recall(ranked, judged, 100),
        ]
        assert found == pytest.approx([expected[measure] for measure in measures])
