"""Candidates: splits and a contract become one scoring graph per declared model, measured and recorded."""
