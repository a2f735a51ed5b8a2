"""Drives the server with the generated client `owasp-dependency-track-client`, as a build would: upload, poll, look up,
findings, analysis, metrics, VEX, badges, properties, clone, delete. Arguments: server, API key, SBOM file."""

import json
import sys
import time
from pathlib import Path

from owasp_dt import Client
from owasp_dt.api.analysis import retrieve_analysis, update_analysis
from owasp_dt.api.badge import get_project_vulnerabilities_badge, get_project_policy_violations_badge_1
from owasp_dt.api.bom import export_project_as_cyclone_dx, upload_bom, upload_bom_base_64_encoded
from owasp_dt.api.component import get_all_components, get_component_by_uuid
from owasp_dt.api.event import is_token_being_processed_1
from owasp_dt.api.finding import analyze_project, export_findings_by_project, get_findings_by_project
from owasp_dt.api.metrics import (
    get_portfolio_current_metrics,
    get_project_current_metrics,
    get_project_metrics_x_days,
    refresh_project_metrics,
)
from owasp_dt.api.project import (
    clone_project,
    create_project,
    delete_project,
    get_latest_project_by_name,
    get_project,
    get_project_by_name_and_version,
    get_projects,
    get_projects_by_tag,
    patch_project,
)
from owasp_dt.api.project_property import create_property_1, delete_property_1, get_properties_1, update_property
from owasp_dt.api.team import get_self
from owasp_dt.api.version import get_version
from owasp_dt.api.vex import export_project_as_cyclone_dx_1, upload_vex_1
from owasp_dt.api.violation import get_violations_by_project
from owasp_dt.api.vulnerability import get_all_vulnerabilities, get_vulnerabilities_by_project
from owasp_dt import models
from owasp_dt.types import File
from importlib.metadata import version

server, key, sbom = sys.argv[1:4]
# the client of version 4 sends documents as text, that of version 5 as files
FILES = not version("owasp-dependency-track-client").startswith("4.")
client = Client(base_url=f"{server}/api", headers={"X-Api-Key": key}, raise_on_unexpected_status=False)


def call(module, status=200, **more):
    reply = module.sync_detailed(client=client, **more)
    assert reply.status_code == status, f"{module.__name__}: {reply.status_code} {reply.content!r}"
    return reply


def wait(token):
    for _ in range(20):
        if call(is_token_being_processed_1, uuid=token).parsed.processing is False:
            return
        time.sleep(0.5)
    raise AssertionError("the token is processed for ever")


about = call(get_version).parsed
assert about.application == "Dependency-Track", about
assert call(get_self).parsed.permissions, "the key has permissions"

# upload as a form, poll, look up
body = models.UploadBomBody(project_name="generated", project_version="1.0", auto_create=True, is_latest=True,
                            project_tags="edge,arm", bom=File(payload=Path(sbom).read_bytes()) if FILES else Path(sbom).read_text())
wait(call(upload_bom, body=body).parsed.token)
project = call(get_project_by_name_and_version, name="generated", version="1.0").parsed
assert (project.name, project.version, project.is_latest) == ("generated", "1.0", True), project
assert sorted(t.name for t in project.tags) == ["arm", "edge"], project.tags
assert project.last_bom_import > 0 and project.metrics.critical == 2, project.metrics
uuid = str(project.uuid)
assert str(call(get_latest_project_by_name, name="generated").parsed.uuid) == uuid
assert [str(p.uuid) for p in call(get_projects_by_tag, tag="arm").parsed] == [uuid]
assert any(str(p.uuid) == uuid for p in call(get_projects, page_size=500).parsed)

# what it is made of, what hurts
components = call(get_all_components, uuid=uuid).parsed
assert {c.name for c in components} >= {"a", "b"}, components
named = next(c for c in components if c.name == "b")
assert call(get_component_by_uuid, uuid=named.uuid).parsed.purl == "pkg:npm/b@1.0.0"
findings = call(get_findings_by_project, uuid=uuid).parsed
assert len(findings) == 2, findings
finding = next(f for f in findings if f.component.name == "b")
flaw = finding.vulnerability
assert (flaw.vuln_id, flaw.severity, flaw.cvss_v3_base_score) == ("CVE-2024-0001", "CRITICAL", 9.8), flaw
assert finding.matrix == f"{uuid}:{finding.component.uuid}:{flaw.uuid}"
assert len(call(get_all_vulnerabilities, page_size=1).parsed) == 1
assert call(get_vulnerabilities_by_project, uuid=uuid).parsed[0].vuln_id == "CVE-2024-0001"
exported = json.loads(call(export_findings_by_project, uuid=uuid).content)
assert exported["project"]["name"] == "generated" and len(exported["findings"]) == 2, exported
assert call(get_violations_by_project, uuid=uuid).parsed == []

# decide one finding
about = dict(project=uuid, component=str(finding.component.uuid), vulnerability=str(flaw.uuid))
analysis = models.AnalysisRequest.from_dict({
    **about, "analysisState": "NOT_AFFECTED", "analysisJustification": "CODE_NOT_REACHABLE",
    "analysisResponse": "WILL_NOT_FIX", "analysisDetails": "never called", "comment": "seen by the build"})
told = call(update_analysis, body=analysis).parsed.to_dict()
assert (told["analysisState"], told["isSuppressed"]) == ("NOT_AFFECTED", True), told
assert call(retrieve_analysis, **about).parsed.to_dict()["analysisDetails"] == "never called"
assert len(call(get_findings_by_project, uuid=uuid).parsed) == 1
assert len(call(get_findings_by_project, uuid=uuid, suppressed=True).parsed) == 2
metrics = call(get_project_current_metrics, uuid=uuid).parsed
assert (metrics.critical, metrics.suppressed) == (1, 1), metrics
call(refresh_project_metrics, uuid=uuid)
history = call(get_project_metrics_x_days, uuid=uuid, days=7).parsed
assert history[-1].critical == 1, history
assert call(get_portfolio_current_metrics).parsed.projects >= 1

# VEX out and in again: the other finding is decided through the document
vex = json.loads(call(export_project_as_cyclone_dx_1, uuid=uuid).content)
states = {v.get("analysis", {}).get("state") for v in vex["vulnerabilities"]}
assert states == {"not_affected", None}, vex
for v in vex["vulnerabilities"]:
    v.setdefault("analysis", {"state": "false_positive", "detail": "another package"})
vex_body = models.UploadVex1Body if hasattr(models, "UploadVex1Body") else models.UploadVexBody
call(upload_vex_1, body=vex_body(project=uuid, vex=json.dumps(vex)))
assert call(get_findings_by_project, uuid=uuid).parsed == []
decided = {f.component.name: f.analysis.state for f in call(get_findings_by_project, uuid=uuid, suppressed=True).parsed}
assert decided == {"a": "FALSE_POSITIVE", "b": "NOT_AFFECTED"}, decided

# the document back, in another form too
report = json.loads(call(export_project_as_cyclone_dx, uuid=uuid, format_="json", variant="withVulnerabilities").content)
assert len(report["vulnerabilities"]) == 2, report
# (the client of version 4 reads every export as JSON, so that XML is asked for beneath it)
as_xml = client.get_httpx_client().get(f"/v1/bom/cyclonedx/project/{uuid}", params={"format": "xml"})
assert as_xml.status_code == 200 and b"<bom" in as_xml.content, as_xml.content

# badges
assert b"<svg" in call(get_project_vulnerabilities_badge, uuid=uuid).content
assert b"no violations" in call(get_project_policy_violations_badge_1, name="generated", version="1.0").content

# again, Base64; match again; properties; another version of it; away with it
import base64
encoded = base64.b64encode(Path(sbom).read_bytes()).decode()
wait(call(upload_bom_base_64_encoded, body=models.BomSubmitRequest.from_dict(
    {"project": uuid, "projectName": "generated", "projectVersion": "1.0", "bom": encoded})).parsed.token)
wait(call(analyze_project, uuid=uuid).parsed.token)
keep = {"groupName": "ci", "propertyName": "keep", "propertyType": "STRING", "propertyValue": "yes"}


def request(kind, value):
    """The body that this version of the client wants for a property."""
    return getattr(models, f"{kind}ProjectPropertyRequest" if FILES else "ProjectProperty").from_dict(value)


call(create_property_1, 201, uuid=uuid, body=request("Create", keep))
call(create_property_1, 409, uuid=uuid, body=request("Create", keep))
call(update_property, uuid=uuid, body=request("Update", {**keep, "propertyValue": "no"}))
assert call(get_properties_1, uuid=uuid).parsed[0].property_value == "no"
token = call(clone_project, body=models.CloneProjectRequest.from_dict(
    {"project": uuid, "version": "1.1", "includeTags": True, "includeProperties": True, "includeComponents": True,
     "includeAuditHistory": True, "makeCloneLatest": True})).parsed.token
wait(token)
copy = call(get_project_by_name_and_version, name="generated", version="1.1").parsed
assert copy.is_latest and len(copy.tags) == 2, copy
copied = {f.analysis.state for f in call(get_findings_by_project, uuid=copy.uuid, suppressed=True).parsed}
assert copied == {"FALSE_POSITIVE", "NOT_AFFECTED"}, copied
assert len(call(get_properties_1, uuid=copy.uuid).parsed) == 1
call(delete_property_1, 204, uuid=uuid, body=request("Delete", keep))
call(patch_project, uuid=uuid, body=models.Project.from_dict({"active": False, "description": "retired"}))
assert call(get_project, uuid=uuid).parsed.description == "retired"
call(patch_project, 304, uuid=uuid, body=models.Project.from_dict({"active": False}))
made = call(create_project, 201, body=models.Project.from_dict(
    {"name": "below", "version": "1", "classifier": "FIRMWARE", "parent": {"uuid": uuid, "name": "generated"}})).parsed
assert str(made.parent.uuid) == uuid and str(made.classifier).endswith("FIRMWARE"), made
for gone in (made.uuid, copy.uuid, uuid):
    call(delete_project, 204, uuid=gone)
call(get_project, 404, uuid=uuid)
print("done: owasp-dependency-track-client")
