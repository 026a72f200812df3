"""`python -m serving`; workers that are no copies import this module again, so it has nothing but the start."""

if __name__ == "__main__":
    import gc

    gc.disable()  # until everything is imported, and the workers are there
    from data import errors
    from serving.command import app

    errors.run(app)
