"""`python -m runner.verbs VERB …`, the same as `pinbox VERB …`."""

from runner.verbs import main

if __name__ == "__main__":
    main()
