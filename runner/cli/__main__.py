"""`python -m runner.cli VERB …`, the same as `pinbox VERB …`."""

import sys

from runner.cli.pinbox import main

if __name__ == "__main__":
    sys.exit(main())
