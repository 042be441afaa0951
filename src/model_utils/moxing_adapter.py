"""Files to and from object storage, under the model zoo's name."""

from crnn_mindspore.modelarts.storage import ResultsUpload, fetch, fetch_missing, is_remote

__all__ = ["ResultsUpload", "fetch", "fetch_missing", "is_remote"]
