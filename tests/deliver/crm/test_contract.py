"""The contract of an Outlet, kept by every system."""

from pathlib import Path

import pytest
from tests.deliver.crm.test_outlet import WORD, spec
from tests.servers.crm_writes import REFUSED, CrmWriter
from tests.servers.taking import running

from drivetrain.access.secrets import KnownSecrets
from drivetrain.testing.outlets import COLUMNS, OutletContract

KEY = {"dynamics": "key", "hubspot": "key", "salesforce": "key__c", "servicenow": "correlation_id",
       "zendesk": "external_id"}  # fmt: skip


class CrmContract(OutletContract):
    """A system by the name of its test class."""

    refused_word = REFUSED
    many = 250  # a call or two each
    secrets = KnownSecrets({"KEY": "key", "WRONG": "very secret"}, Path())

    @pytest.fixture(autouse=True)
    def _there(self):
        self.system = type(self).__name__.removeprefix("Test").lower()
        with running(CrmWriter()) as self.crm:
            yield

    def make(self, home):
        return spec(self.crm, self.system, columns=COLUMNS)

    def received(self, home):
        return [(self.key(record.fields), record.fields[WORD[self.system]]) for record in self.crm.records]

    def key(self, fields):
        return fields[KEY[self.system]] if self.system in KEY else fields["labels"][0].removeprefix("drivetrain-")

    def wrong_login(self, home):
        auth = {"kind": "bearer", "token": {"env": "WRONG"}}
        return spec(self.crm, self.system, columns=COLUMNS, auth=auth), "very secret"

    def down(self, home):
        return self.crm.away()


class TestSalesforce(CrmContract):
    many = 2500


@pytest.mark.slow
class TestZendesk(CrmContract):
    pass


@pytest.mark.slow
class TestDynamics(CrmContract):
    pass


@pytest.mark.slow
class TestHubspot(CrmContract):
    many = 2500


@pytest.mark.slow
class TestJira(CrmContract):
    pass


@pytest.mark.slow
class TestServicenow(CrmContract):
    pass
