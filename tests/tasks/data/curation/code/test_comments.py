"""In which language comments are written; nothing is said of few words."""

import pytest

from tasks.data.curation.code.comments import UNKNOWN, language_of

TEXTS = {
    "en": '"""Give back what is left of the rows, in the order in which they were read."""\n',
    "de": "# Gibt zurück, was von den Zeilen noch übrig ist, und zwar in der Reihenfolge, in der sie gelesen wurden.\n",
    "fr": "'''Cette fonction renvoie les lignes qui restent, dans leur ordre, après que les autres sont parties.'''\n",
    "zh": "# 这个函数返回剩下的所有行，按照它们被读取的顺序排列，如果没有剩下任何一行就返回空列表。\n",
}


@pytest.mark.parametrize(("language", "comment"), TEXTS.items())
def test_the_language_of_comments_and_docstrings_is_told(language: str, comment: str) -> None:
    assert language_of(f"import the_rows\n{comment}x = 1\n") == language


@pytest.mark.parametrize(
    "text", ["", "x = 1  # yes\n", "def rest_of_the_rows_that_are_in_the_order(of):\n    pass\n"]
)
def test_nothing_is_said_of_few_words_and_of_names(text: str) -> None:
    assert language_of(text) == UNKNOWN
