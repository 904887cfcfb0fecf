#!/bin/bash
# One image, two services: what to ask depends on which of them is process 1.
set -euo pipefail

case $(</proc/1/comm) in
    haproxy)
        exec answers.sh
        ;;
    keepalived)
        # VRRP has no question that could be asked; the child that speaks it must live.
        kill -0 "$(</run/vrrp.pid)"
        ;;
    *)
        echo "process 1 is neither haproxy nor keepalived" >&2
        exit 1
        ;;
esac
