"""Worktrees: a checkout and a branch for one session, apart from the folder that its user works in."""
