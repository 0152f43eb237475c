"""`python -m runner.cli VERB …`, the same as `pinbox VERB …`."""

from runner.cli.verbs import main

if __name__ == "__main__":
    main()
