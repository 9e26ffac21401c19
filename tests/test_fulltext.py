"""Full text search and trigrams on PostgreSQL, and what other databases make of the lookup `search`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm.postgresql import (
    SearchHeadline,
    SearchQuery,
    SearchRank,
    SearchVector,
    TrigramDistance,
    TrigramSimilarity,
    TrigramWordDistance,
    TrigramWordSimilarity,
    Unaccent,
)
from tests.databases import created
from tests.recorder import Recorder

models = orm.Registry()


class Author(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40)

    class Meta:
        registry = models


class Article(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.Text()
    text: orm.Field[str | None] = orm.Text(null=True, default=None)
    language: orm.Field[str] = orm.String(max_length=20, default="english")
    author: orm.Related[Author] = orm.ForeignKey("Author", on_delete=orm.CASCADE)

    class Meta:
        registry = models
        ordering = ["id"]


ROWS = [
    ("Cats", "A cat sleeps. Dogs run after cats.", "english", "Zoë"),
    ("Running dogs", None, "english", "Zoë"),
    ("Häuser", "Das Haus läuft nicht weg.", "german", "Jörg"),
    ("It's a 'quoted' title; DROP TABLE article", "Nothing & nobody | here", "english", "Jörg"),
]


@pytest_asyncio.fixture
async def articles(url: str) -> AsyncIterator[Recorder]:
    recorder = Recorder()
    async with orm.Database(url, observers=[recorder]) as database, created(models, database):
        if database.dialect.name == "postgresql":
            for extension in ("pg_trgm", "unaccent"):
                await database.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        authors = {name: await Author.objects.create(name=name) for name in ("Zoë", "Jörg")}
        for title, text, language, name in ROWS:
            await Article.objects.create(title=title, text=text, language=language, author=authors[name])
        yield recorder


@pytest.fixture
def url(postgresql_url: str) -> str:
    """These are about PostgreSQL unless a test says otherwise."""
    return postgresql_url


async def _titles(*conditions: Any, **words: Any) -> list[int]:
    """The places of the articles that are found."""
    titles = [row[0] for row in ROWS]
    return [
        titles.index(title)
        for title in await Article.objects.filter(*conditions, **words).values_list("title", flat=True)
    ]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (SearchQuery("cat", config="english"), [0]),
        (SearchQuery("cats dog", config="english"), [0]),
        (SearchQuery("dog cat", config="english", search_type="phrase"), []),
        (SearchQuery("cat sleeps", config="english", search_type="phrase"), [0]),
        (SearchQuery("cat | haus", config="english", search_type="raw"), [0, 2]),
        (SearchQuery("cat & !dog", config="english", search_type="raw"), []),
        (SearchQuery('"dogs run" -house', config="english", search_type="websearch"), [0]),
        (SearchQuery("dog", config="english") & SearchQuery("cat", config="english"), [0]),
        (SearchQuery("dog", config="english") & ~SearchQuery("cat", config="english"), [1]),
        (SearchQuery("haus", config="simple") | SearchQuery("cat", config="english"), [0, 2]),
        (SearchQuery("' OR 1=1; --", config="english"), []),
        (SearchQuery(orm.F("title"), config="english"), [0, 1, 2, 3]),
    ],
)
async def test_queries(articles: Recorder, query: SearchQuery, wanted: list[int]) -> None:
    vector = SearchVector("title", "text", config="english")
    assert await _titles(orm.F("title").lookup("search", query)) == await _titles(title__search=query)
    found = Article.objects.annotate(vector=vector)
    for conditions in ({"vector": query}, {"vector__search": query}):
        rows = await found.filter(**conditions).values_list("title", flat=True)
        assert [[row[0] for row in ROWS].index(title) for title in rows] == wanted


async def test_texts_are_read_with_the_configuration_of_the_other_side(articles: Recorder) -> None:
    english, simple = (SearchVector("title", "text", config=name) for name in ("english", "simple"))
    for vector, words, wanted in [(english, "dog", 2), (simple, "dog", 0), (simple, "dogs", 2), (english, "RUNS", 2)]:
        assert await Article.objects.annotate(v=vector).filter(v__search=words).count() == wanted
        assert await Article.objects.annotate(v=vector).filter(v=words).count() == wanted
    assert await _titles(title__search=SearchQuery("dog", config="english")) == [1]
    assert await _titles(title__search=SearchQuery("dog", config="simple")) == []
    assert await _titles(Article.title.search(SearchQuery("dogs", config="simple"))) == [1]
    assert await _titles(title__search="dogs") == [1]
    assert await _titles(Article.title.search("dogs")) == [1]
    assert await _titles(author__name__search="Zoë") == [0, 1]


async def test_the_configuration_may_be_a_column(articles: Recorder) -> None:
    vector = SearchVector("title", "text", config=orm.F("language"))
    query = SearchQuery("Häusern", config=orm.F("language"))
    rows = Article.objects.annotate(v=vector).filter(v=query)
    assert await rows.values_list("title", flat=True) == ["Häuser"]


async def test_vectors_are_combined_and_ranked(articles: Recorder) -> None:
    vector = SearchVector("text", config="english", weight="B") + SearchVector("title", config="english", weight="A")
    query = SearchQuery("dog", config="english")
    rows = Article.objects.annotate(rank=SearchRank(vector, query)).filter(rank__gt=0).order_by("-rank")
    assert await rows.values_list("title", flat=True) == ["Running dogs", "Cats"]
    reverse = SearchRank(vector, query, weights=[0.0, 0.0, 1.0, 0.1])
    rows = Article.objects.annotate(rank=reverse).filter(rank__gt=0).order_by("-rank")
    assert await rows.values_list("title", flat=True) == ["Cats", "Running dogs"]
    short = SearchRank(vector, query, normalization=2, cover_density=True)
    ranks = await Article.objects.order_by("id").annotate(rank=short).values_list("rank", flat=True)
    assert all(isinstance(rank, float) for rank in ranks)
    assert ranks[1] > ranks[0] > ranks[2] == 0
    names = SearchVector("author__name", config="simple")
    assert await Article.objects.annotate(v=names).filter(v__search="jörg").count() == 2
    plain = Article.objects.annotate(rank=SearchRank("title", "dogs")).order_by("-rank")
    assert (await plain.first()).title == "Running dogs"  # type: ignore[union-attr]
    assert await Article.objects.annotate(v=SearchVector("id", "title")).filter(v__search="cats").count() == 1


async def test_headlines(articles: Recorder) -> None:
    query = SearchQuery("dog", config="english")
    plain = SearchHeadline("text", query, config="english")
    marked = SearchHeadline(
        "text", query, config="english", start_sel='<"i">', stop_sel="'</i>, MaxWords=1", highlight_all=True
    )
    short = SearchHeadline("text", query, config="english", max_words=3, min_words=2, short_word=1, max_fragments=1,
                           fragment_delimiter=" … ")  # fmt: skip
    rows = Article.objects.order_by("id").annotate(plain=plain, marked=marked, short=short)
    first, second, *_ = await rows.values_list("plain", "marked", "short")
    assert first[0] == "A cat sleeps. <b>Dogs</b> run after cats."
    assert first[1] == 'A cat sleeps. <"i">Dogs\'</i>, MaxWords=1 run after cats.'
    assert "<b>Dogs</b>" in first[2]
    assert second == (None, None, None)


async def test_nothing_is_pasted(articles: Recorder) -> None:
    hostile = "x'); DROP TABLE article; --"
    articles.clear()
    query = SearchQuery(hostile, config="english", search_type="websearch")
    found = Article.objects.annotate(
        vector=SearchVector("title", config="english"),
        rank=SearchRank(SearchVector("title"), hostile),
        head=SearchHeadline("title", query, start_sel=hostile),
        alike=TrigramSimilarity("title", hostile),
    ).filter(orm.Q(vector=query) | orm.Q(title__trigram_similar=hostile) | orm.Q(title__search=hostile))
    await found
    assert [event for event in articles.events if "DROP TABLE" in event.sql] == []
    with pytest.raises(orm.ProgrammingError, match="invalid name syntax"):
        await Article.objects.annotate(v=SearchVector("title", config=hostile))
    with pytest.raises(orm.ProgrammingError, match='text search configuration "nothing" does not exist'):
        await Article.objects.annotate(v=SearchVector("title", config="nothing"))
    assert await Article.objects.count() == len(ROWS)


async def test_an_index_of_an_expression_is_found(articles: Recorder) -> None:
    database = models.database
    assert database is not None
    await database.execute("CREATE INDEX words ON article USING gin (to_tsvector('english'::regconfig, title))")
    query = Article.objects.filter(title__search=SearchQuery("dog", config="english")).order_by()
    async with database.transaction():
        await database.execute("SET LOCAL enable_seqscan = off")
        articles.clear()
        assert len(await query) == 1
        event = articles.events[0]
        plan = await database.fetch(f"EXPLAIN {event.sql}", event.arguments)
    assert any("words" in row[0] for row in plan)


async def test_trigrams(articles: Recorder) -> None:
    assert await _titles(title__trigram_similar="Running dog") == [1]
    assert await _titles(title__trigram_word_similar="dogs") == [1]
    assert await _titles(title__trigram_strict_word_similar="runing") == [1]
    assert await _titles(Article.title.trigram_similar("cat")) == [0]
    assert await _titles(Article.title.trigram_word_similar("Quoted")) == [3]
    assert await _titles(title__trigram_similar=orm.F("title")) == [0, 1, 2, 3]
    rows = Article.objects.annotate(
        likeness=TrigramSimilarity("title", "cats"),
        distance=TrigramDistance("title", "cats"),
        word=TrigramWordSimilarity("dog", "title"),
        far=TrigramWordDistance("dog", Article.title),
    )
    first, second, *_ = await rows.values_list("likeness", "distance", "word", "far")
    assert first[:2] == (1.0, 0.0)
    assert 0.5 < second[2] == 1 - second[3]
    assert (await rows.order_by("-word").first()).title == "Running dogs"  # type: ignore[union-attr]
    assert await Article.objects.filter(author__name__trigram_similar="Jörg").count() == 2


async def test_texts_without_accents(articles: Recorder) -> None:
    assert await _titles(title__unaccent="Hauser") == [2]
    assert await _titles(title__unaccent__istartswith="HAUS") == [2]
    assert await _titles(Unaccent("author__name") == "Zoe") == [0, 1]


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: SearchVector(), "needs a field at least"),
        (lambda: SearchVector("title", weight="E"), r"weight='E' is not possible\. Choose from: A, B, C, D"),  # type: ignore[arg-type]
        (lambda: SearchQuery("x", search_type="fuzzy"), r"search_type='fuzzy' is not possible\. Choose from: plain"),  # type: ignore[arg-type]
        (lambda: SearchQuery("x") & "y", "combined with another one, not with 'y'"),  # type: ignore[operator]
        (lambda: SearchVector("x") + "y", "combined with another one, not with 'y'"),
        (lambda: SearchRank("a", "b", weights=[1, 2, 3, 4]), "four numbers from 0 to 1"),
        (lambda: SearchRank("a", "b", weights=[1, 1]), "four numbers from 0 to 1"),
        (lambda: SearchRank("a", "b", normalization=64), "normalization=64 is not possible"),
        (lambda: Article.objects.annotate(v=SearchVector("titel")), "has no field 'titel'"),
        (lambda: Article.objects.annotate(v=TrigramSimilarity("id", "x")), "compares texts, and id"),
        (lambda: Article.objects.annotate(v=SearchVector("title")).filter(v__icontains="x"),
         "has no lookup 'icontains'.*Choose from: exact, in, isnull, search"),
        (lambda: Article.objects.filter(id__trigram_similar="x"), "has no lookup 'trigram_similar'"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_what_is_possible(use: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        use()


def test_texts_that_no_database_takes_are_refused() -> None:
    for use in (lambda: SearchQuery("a\0b"), lambda: SearchVector("title", config="\0"),
                lambda: SearchHeadline("title", "x", start_sel="\0"),
                lambda: Article.objects.annotate(v=SearchVector("title")).filter(v__search="\0")):  # fmt: skip
        with pytest.raises(orm.ValidationError, match="NUL"):
            use()
    with pytest.raises(orm.ValidationError, match="takes a text"):
        Article.objects.annotate(v=SearchVector("title")).filter(v=3)


# ---------------------------------------------------------------- other databases


async def test_full_text_search_of_mysql_needs_an_index(mysql_url: str) -> None:
    async with orm.Database(mysql_url) as database, created(models, database):
        author = await Author.objects.create(name="x")
        for title, text, *_ in ROWS:
            await Article.objects.create(title=title, text=text, author=author)
        with pytest.raises(orm.ProgrammingError, match=r"FULLTEXT.*\(1191\)\. Make one with CREATE FULLTEXT INDEX"):
            await Article.objects.filter(title__search="dogs")
        await database.execute("CREATE FULLTEXT INDEX title_words ON article (title)")
        assert await _titles(title__search="dogs") == [1]
        assert await _titles(Article.title.search("dogs")) == [1]
        assert await _titles(title__search="DOGS") == [], "our texts are compared by code point"
        assert await _titles(title__search="cats dogs") == [0, 1]
        assert await _titles(title__search="+dogs -running @'\"") == [1], "no operators"
        assert await Article.objects.exclude(title__search="dogs").count() == 3


@pytest.mark.parametrize("backend", ["sqlite", "mysql+aiomysql"], indirect=True)
async def test_what_postgresql_alone_has_is_refused(backend: str, scratch: Any, tmp_path: Any) -> None:
    target = f"sqlite:///{tmp_path / 'test.db'}" if backend == "sqlite" else None
    if target is None:
        if "mysql" not in scratch:
            pytest.skip("no mysql server")
        target = scratch["mysql"].url.replace("mysql", backend, 1)
    async with orm.Database(target) as database:
        articles = Article.objects.using(database)
        for query, text in [
            (articles.annotate(v=SearchVector("title")), "no SearchVector.*lookup 'search'"),
            (articles.filter(title__search=SearchQuery("x")), "no Search"),
            (articles.annotate(v=SearchRank("title", "x")), "no Search"),
            (articles.annotate(v=SearchHeadline("title", "x")), "no Search"),
            (
                articles.annotate(v=TrigramSimilarity("title", "x")),
                "no TrigramSimilarity: PostgreSQL has. Use icontains",
            ),
            (articles.annotate(v=TrigramDistance("title", "x")), "no TrigramDistance"),
            (articles.annotate(v=TrigramWordDistance("x", "title")), "no TrigramWordDistance"),
            (articles.filter(title__trigram_similar="x"), "no lookup 'trigram_similar': PostgreSQL has. Use icontains"),
            (articles.filter(title__unaccent="x"), "no unaccent"),
        ]:
            with pytest.raises(orm.NotSupportedError, match=f"(SQLite|MySQL|MariaDB) has {text}"):
                await query


async def test_sqlite_names_its_cures(sqlite_url: str) -> None:
    async with orm.Database(sqlite_url) as database:
        with pytest.raises(orm.NotSupportedError, match=r"SQLite.*FTS5.*icontains.*from_statement"):
            await Article.objects.using(database).filter(title__search="x")
