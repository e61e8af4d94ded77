"""pmind datasets: what can be asked."""


def datasets() -> None:
    """List the datasets: name, how it is scored, what it is, and the Hub id that is read when no source is named.

    Example: pmind datasets
    """
    from pmind.tasks.catalog import DATASETS

    for name, dataset in DATASETS.items():
        print(f"{name:18} {dataset.scoring:10} {dataset.about}\n{'':29} {dataset.hub or 'local files only'}")
