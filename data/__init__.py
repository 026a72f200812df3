"""Rows: a declared source becomes checked splits and the task's contract."""
