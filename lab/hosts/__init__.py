"""Hosts of one's own as nodes: looked at, judged, provisioned over SSH, and left as they were."""
