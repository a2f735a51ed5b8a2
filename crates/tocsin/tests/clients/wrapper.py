"""Drives the server with `dependency-track-client`, a hand-written wrapper over requests. Arguments: server, API key."""

import sys

from dependencytrack_client import DependencyTrack

server, key = sys.argv[1:3]
dt = DependencyTrack(server, key)
found = [p for p in dt.list_projects() if p["name"] == "wrapped"]
assert len(found) == 1, found
uuid = found[0]["uuid"]
assert dt.get_project(uuid)["version"] == "1.0"
assert dt.project_lookup("wrapped", "1.0")["uuid"] == uuid
assert dt.get_project_property(uuid) == []
assert [p["uuid"] for p in dt.search_project("wrap")] == [uuid]
print("done: dependency-track-client")
