"""What runs inside a box: measure one artifact, or judge it. Imports the engine and nothing else that is heavy."""
