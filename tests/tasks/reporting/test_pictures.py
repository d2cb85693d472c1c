"""A page that refers to pictures shows what it showed with them inside."""

import base64
from pathlib import Path
from urllib.parse import unquote

from tasks.reporting.pictures import with_references

PNG = b"\x89PNG" + bytes(range(256)) * 10


def embedded(picture: bytes) -> str:
    return f'<img src="data:image/png;base64,{base64.b64encode(picture).decode()}" alt="a">'


def test_a_known_picture_is_named_by_where_it_lies_from_the_page(tmp_path: Path) -> None:
    picture = tmp_path / "artifacts" / "evaluate" / "key" / "reliability & more.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(PNG)
    folder = tmp_path / "reports" / "run"
    page = with_references(f"<p>{embedded(PNG)}</p>", folder, [picture])
    address = page.split('"')[1]
    assert (folder / unquote(address)).resolve() == picture
    assert page == f'<p><img src="{address}" alt="a"></p>'


def test_an_unknown_picture_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "other.png").write_bytes(PNG)
    page = embedded(PNG + b"another") + embedded(PNG)
    kept = with_references(page, tmp_path, [tmp_path / "other.png"])
    assert kept == embedded(PNG + b"another") + '<img src="other.png" alt="a">'


def test_a_page_without_pictures_stays_as_it_is(tmp_path: Path) -> None:
    assert with_references("<p>data: nothing</p>", tmp_path, []) == "<p>data: nothing</p>"


def test_its_policy_lets_it_show_what_lies_beside_it_only_where_it_names_something_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "other.png").write_bytes(PNG)
    policy = "<meta content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
    page = with_references(policy + embedded(PNG), tmp_path, [tmp_path / "other.png"])
    assert "img-src data: 'self';" in page
    assert with_references(policy + embedded(b"another"), tmp_path, [tmp_path / "other.png"]).startswith(
        policy
    )
