"""Networks, hstore and vectors of words on PostgreSQL, and what other databases say about them."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm import F, postgresql
from orm.postgresql import SearchQuery, SearchRank, SearchVector
from tests.databases import created
from tests.recorder import Recorder

models = orm.Registry()


class Host(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40, default="")
    address: orm.Field[ipaddress.IPv4Interface | ipaddress.IPv6Interface | None] = postgresql.INET(
        null=True, default=None
    )
    network: orm.Field[ipaddress.IPv4Network | ipaddress.IPv6Network | None] = postgresql.CIDR(
        null=True, default=None, index=True
    )
    device: orm.Field[str | None] = postgresql.MACADDR(null=True, default=None, unique=True)
    labels: orm.Field[dict[str, str | None]] = postgresql.HStore(default=dict)
    extra: orm.Field[dict[str, str | None] | None] = postgresql.HStore(null=True, default=None)
    networks: orm.Field[list[Any]] = orm.Array(postgresql.CIDR(), default=list)

    class Meta:
        registry = models


class Document(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=80)
    body: orm.Field[str | None] = orm.Text(null=True, default=None)
    words: orm.Field[str] = orm.Generated(
        SearchVector("title", config="english", weight="A") + SearchVector("body", config="english", weight="B"),
        output_field=postgresql.TSVector(),
    )
    plain: orm.Field[str | None] = postgresql.TSVector(null=True, default=None)

    class Meta:
        registry = models
        indexes = [orm.Index("words", method="gin", name="words_of_documents")]


@pytest.fixture
def sent() -> Recorder:
    """What is sent to the database."""
    return Recorder()


@pytest_asyncio.fixture
async def hosts(postgresql_url: str, sent: Recorder) -> AsyncIterator[orm.Database]:
    async with orm.Database(postgresql_url, observers=[sent]) as database:
        await database.execute("CREATE EXTENSION IF NOT EXISTS hstore")
        async with created(models, database):
            yield database


async def _names(*conditions: Any, **words: Any) -> str:
    found = Host.objects.filter(*conditions, **words).order_by("name")
    return "".join(await found.values_list("name", flat=True))


EVERY: dict[str, list[Any]] = {
    "address": [ip_interface("10.1.2.3/8"), ip_interface("10.0.0.1"), ip_interface("2001:db8::1/64")],
    "network": [ip_network("10.0.0.0/8"), ip_network("10.0.0.1/32"), ip_network("2001:db8::/32")],
    "device": ["08:00:2b:01:02:03"],
    "labels": [{}, {"a": "1", "b": None}, {"q\"u\\o'te": "ä=>,\n", "": ""}],
    "extra": [None, {"NULL": "null"}],
    "networks": [[], [ip_network("10.0.0.0/8"), ip_network("::/0")]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in EVERY.items() for value in values])
async def test_values_come_back_equal_and_are_found(hosts: orm.Database, name: str, value: Any) -> None:
    made = await Host.objects.create(**{name: value})
    found = await Host.objects.get(id=made.id)
    assert getattr(found, name) == value
    assert type(getattr(found, name)) is type(value)
    assert await Host.objects.filter(**{name: value}) == [made]
    if value is not None:
        assert await Host.objects.filter(**{f"{name}__in": [value]}) == [made]
    assert await Host.objects.values_list(name, flat=True) == [value]
    await Host.objects.all().update(**{name: value})
    await made.load()
    assert getattr(made, name) == value


async def test_values_are_written_in_bulk(hosts: orm.Database) -> None:
    wanted = [{name: values[index % len(values)] for name, values in EVERY.items()} for index in range(120)]
    made = await Host.objects.bulk_create([Host(**{**row, "device": None}) for row in wanted])
    for host, row in zip(await Host.objects.order_by("id"), wanted, strict=True):
        assert all(getattr(host, name) == value for name, value in row.items() if name != "device")
    for host in made:
        host.labels, host.address = {"bulk": "yes"}, ip_interface("127.0.0.1")
    await Host.objects.bulk_update(made, ["labels", "address"])
    assert await Host.objects.filter(labels__bulk="yes", address="127.0.0.1").count() == 120


async def test_texts_and_addresses_are_taken_for_values(hosts: orm.Database) -> None:
    host = Host(address="10.0.0.1/8", network="10.0.0.0/8", device="08-00-2B-01-02-03")  # type: ignore[arg-type]
    await host.save()
    assert (host.address, host.network) == (ip_interface("10.0.0.1/8"), ip_network("10.0.0.0/8"))
    assert host.device == "08:00:2b:01:02:03"
    assert await Host.objects.get(device="08:00:2B:01:02:03") == host
    await host.update(address=ip_address("::1"))
    assert host.address == ip_interface("::1/128")


async def test_networks_contain_addresses_and_networks(hosts: orm.Database) -> None:
    await Host.objects.bulk_create(
        [
            Host(name="a", network=ip_network("10.0.0.0/8"), address=ip_interface("10.0.0.1")),
            Host(name="b", network=ip_network("10.1.0.0/16"), address=ip_interface("10.1.0.1/16")),
            Host(name="c", network=ip_network("2001:db8::/32")),
        ]
    )
    assert await _names(network__contains=ip_address("10.1.2.3")) == "ab"
    assert await _names(network__contains="10.0.0.0/8") == "a"
    assert await _names(Host.network.contains(ip_network("10.0.0.0/8"))) == "a"
    assert await _names(network__contained_by=ip_network("10.0.0.0/8")) == "ab"
    assert await _names(address__contained_by=ip_network("10.1.0.0/16")) == "b"
    assert await _names(network__overlap=ip_network("10.1.1.0/24")) == "ab"
    assert await _names(network__contains=F("address")) == "ab"
    assert await _names(network__lt=ip_network("10.1.0.0/16")) == "a"
    assert "".join(await Host.objects.order_by("-network").values_list("name", flat=True)) == "cba"
    with pytest.raises(orm.ValidationError, match="network__contains"):
        Host.objects.filter(network__contains="10.0.0.0.0")


async def test_lookups_of_hstore(hosts: orm.Database) -> None:
    await Host.objects.bulk_create(
        [
            Host(name="a", labels={"color": "red", "size": "1"}),
            Host(name="b", labels={"color": "blue", "has": None}),
            Host(name="c", labels={}, extra={"color": "red"}),
        ]
    )
    assert await _names(labels__color="red") == "a"
    assert await _names(labels__color__icontains="E") == "ab"
    assert await _names(labels__color__isnull=True) == "c"
    assert await _names(Host.labels["color"] == "blue") == "b"
    assert await _names(Host.labels["it's ? %s \" odd"].is_null()) == "abc"
    assert await _names(labels__has_key="has") == "b"
    assert await _names(labels__has_keys=["color", "size"]) == "a"
    assert await _names(labels__has_any_keys=["size", "has"]) == "ab"
    assert await _names(labels__has_keys=[]) == "abc"
    assert await _names(labels__contains={"color": "red"}) == "a"
    assert await _names(Host.labels.contains({"color": "blue"})) == "b"
    assert await _names(labels__contained_by={"color": "red", "size": "1", "more": "2"}) == "ac"
    assert await _names(extra__contains=F("labels")) == "c"
    assert await _names(extra__color=F("labels__color")) == ""
    assert await Host.objects.values("labels__color").get(name="a") == {"labels__color": "red"}
    counted = await Host.objects.values("labels__color").annotate(number=orm.Count("id")).order_by("labels__color")
    assert [row["labels__color"] for row in counted if row["labels__color"]] == ["blue", "red"]
    with pytest.raises(orm.ValidationError, match="labels__has_key"):
        Host.objects.filter(labels__has_key=3)
    with pytest.raises(orm.FieldError, match="keys of an hstore are texts, not 3"):
        Host.labels[3]


async def test_a_change_inside_an_hstore_is_noticed(hosts: orm.Database, sent: Recorder) -> None:
    made = await Host.objects.create(labels={"a": "1"})
    made.labels["b"] = "2"
    await made.save()
    loaded = await Host.objects.get(id=made.id)
    assert loaded.labels == {"a": "1", "b": "2"}
    sent.clear()
    await loaded.save()
    assert sent.count == 0
    del loaded.labels["a"]
    await loaded.save()
    assert (await Host.objects.get(id=made.id)).labels == {"b": "2"}


WRONG: list[tuple[str, Any]] = [
    ("address", "10.0.0"),
    ("address", 3),
    ("network", "10.0.0.1/8"),
    ("network", ip_interface("10.0.0.1/8")),
    ("device", "08:00:2b:01:02"),
    ("device", "08:00-2b:01-02:03"),
    ("labels", ["a"]),
    ("labels", {"a": 1}),
    ("labels", {1: "a"}),
    ("labels", {"a": "\0"}),
    ("labels", None),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_wrong_values_are_refused(hosts: orm.Database, name: str, value: Any) -> None:
    with pytest.raises(orm.ValidationError, match=name):
        await Host.objects.create(**{name: value})
    if value is not None:
        with pytest.raises(orm.ValidationError, match=name):
            Host.objects.filter(**{name: value})


async def test_a_vector_is_computed_and_searched(hosts: orm.Database) -> None:
    cats = await Document.objects.create(title="Cats", body="They were running")
    dogs = await Document.objects.create(title="Dogs run", body="after the cat")
    none = await Document.objects.create(title="Nothing")
    assert "'cat':1A" in cats.words
    assert await Document.objects.filter(words__search="runs").order_by("id") == [cats, dogs]
    assert await Document.objects.filter(Document.words.search("cat")).order_by("id") == [cats, dogs]
    query = SearchQuery("cats | nothing", config="english", search_type="raw")
    found = Document.objects.annotate(rank=SearchRank(F("words"), query)).filter(words__search=query)
    assert await found.order_by("-rank", "id") == [cats, none, dogs]
    assert await found.filter(rank=SearchRank("words", query)).count() == 3
    none.title = "Cattle and a cat"
    await none.save()
    assert "'cattl'" in none.words
    plan = await Document.objects.filter(words__search="cat").explain()
    assert "words" in plan


async def test_a_vector_can_be_given(hosts: orm.Database) -> None:
    made = await Document.objects.create(title="", plain="'dog' 'cat'")
    assert (await Document.objects.get(id=made.id)).plain == "'cat' 'dog'"
    assert await Document.objects.filter(plain__search="cats") == [made]
    with pytest.raises(orm.ValidationError, match="plain"):
        await Document.objects.create(title="", plain=["a"])


@pytest.mark.parametrize("name", ["INET", "CIDR", "MACADDR", "HStore", "TSVector"])
async def test_other_databases_refuse_them(database: orm.Database, name: str) -> None:
    if database.dialect.name == "postgresql":
        return
    registry = orm.Registry(database)
    meta = type("Meta", (), {"registry": registry})
    type("Odd", (orm.Model,), {"value": getattr(postgresql, name)(), "Meta": meta})
    with pytest.raises(orm.NotSupportedError, match=r"(SQLite|MariaDB|MySQL) has no \w+: PostgreSQL has\. \w+"):
        await registry.create_all()


CONTRADICTIONS: list[tuple[Any, dict[str, Any], str]] = [
    (postgresql.HStore, {"default": {}}, "Give a function that makes one: default=dict"),
    (postgresql.HStore, {"primary_key": True}, "HStore has no primary_key"),
    (postgresql.HStore, {"choices": [{}]}, "HStore has no choices"),
    (postgresql.TSVector, {"unique": True}, "TSVector has no unique"),
    (postgresql.INET, {"primary_key": True, "null": True}, "a primary key cannot be null"),
    (postgresql.CIDR, {"max_length": 3}, "CIDR has no option 'max_length'"),
]


@pytest.mark.parametrize(("make", "options", "message"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError) as caught:
        make(**options)
    assert message in str(caught.value)
