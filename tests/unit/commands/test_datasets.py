from pmind.tasks.catalog import DATASETS


def test_every_dataset_is_listed_with_its_hub_id(pmind):
    code, out, err = pmind("datasets")
    assert (code, err) == (0, "")
    listed = out.splitlines()
    for name, dataset in DATASETS.items():
        line = next(number for number, text in enumerate(listed) if text.split()[0] == name)
        assert dataset.about in listed[line]
        assert dataset.scoring in listed[line].split()
        assert listed[line + 1].strip() == (dataset.hub or "local files only")
