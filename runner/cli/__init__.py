"""The command `pinbox`: one file for each verb. It may use every other room, and no room uses it."""
