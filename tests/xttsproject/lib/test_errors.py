import pickle

from xttsproject.lib.errors import DomainError


def test_an_error_keeps_its_code_across_processes():
    error = pickle.loads(pickle.dumps(DomainError("too_large", "It is too large.", permanent=False, field="file")))
    assert (error.code, error.message, error.permanent, error.field) == ("too_large", "It is too large.", False, "file")
    assert str(error) == "It is too large."
