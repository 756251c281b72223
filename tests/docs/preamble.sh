# What stands around the commands of a page when a test runs them: the same commands, on small data, on any free port.
# DOCS is the folder of the tests, ROOT the repository, READY a project that was run already (empty: there is none),
# WARM the socket at which processes wait that have imported everything (empty: each command imports for itself).
set -Eeuo pipefail
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
trap stop EXIT
SERVER_URL="" LAST_ID=""

source() { [ -z "${1##*activate}" ]; }          # the environment is active already
make() { command make --dry-run --directory "$ROOT" "$@" >/dev/null; }  # that the target exists

drivetrain() {
    case "$1" in
    init)
        if [ -n "$READY" ]; then
            cp -a "$READY" "$2"
        else
            told "$@"
            python "$DOCS/shrink.py" "$2"
        fi
        ;;
    serve)
        end_server
        coproc SERVER { exec drivetrain serve --port 0; }
        PID=$SERVER_PID
        read -r line <&"${SERVER[0]}"           # waits for the line that says where it answers
        line=${line#* at }
        SERVER_URL=${line%%,*}
        ;;
    *) told "${@//PREDICTION_ID/$LAST_ID}" ;;
    esac
}

told() {
    if [ -n "$WARM" ]; then python -IS "$DOCS/warm.py" "$WARM" "$@"; else command drivetrain "$@"; fi
}

curl() {
    local said
    local -a words=("${@//http:\/\/127.0.0.1:8080/$SERVER_URL}")
    said=$(command curl --fail-with-body "${words[@]//PREDICTION_ID/$LAST_ID}") || { echo "$said" >&2; return 1; }
    echo "$said"
    if [[ $said =~ \"id\":\"([^\"]+)\" ]]; then LAST_ID=${BASH_REMATCH[1]}; fi
}

end_server() {
    if [ -n "${PID:-}" ]; then
        kill -TERM "$PID"
        wait "$PID"                             # a server that is told to stop ends well
        PID=""
    fi
}

stop() {
    local code=$?
    end_server || code=$?
    exit "$code"
}
