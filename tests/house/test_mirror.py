"""Tests mirror the product one to one: `src/drivetrain/ROOM/FILE.py` is tested by `tests/ROOM/test_FILE.py`.

Files that are only parts of a stage are tested through its front door; the map says by which test file. A new file has
a test file of its own, or a place in the map.
"""

from pathlib import PurePosixPath

THROUGH = {
    "cli/test_main.py": ("cli/governance", "cli/service", "cli/stages", "cli/start"),
    "cli/test_output.py": ("cli/progress",),
    "journeys/test_documents.py": ("serve/paper_paths", "serve/papers"),
    "journeys/test_credit.py": ("cli/demo", "engine/demo"),
    "journeys/test_fraud.py": ("packs/fraud/simulator",),
    "client/test_client.py": ("client/answers", "client/refusals", "client/replies"),
    "client/test_wire.py": ("client/address",),
    "core/test_parse.py": (
        "core/alarms", "core/card", "core/code_limits", "core/connections", "core/contract", "core/database",
        "core/decision", "core/entities", "core/entity_view", "core/project", "core/service", "core/sources/files",
        "core/sources/written", "core/spec", "core/task_rules",
    ),
    "access/test_secrets.py": ("core/credentials",),
    "engine/test_packs.py": ("cli/packs", "core/pack"),
    "engine/test_sending.py": ("cli/traffic",),
    "cli/test_sources.py": ("engine/sources",),
    "cli/test_outlets.py": ("engine/outlets",),
    "cli/test_entities.py": ("engine/entities",),
    "serve/test_entities.py": ("serve/entity_answers", "serve/entity_messages", "serve/entity_paths"),
    "serve/test_entity_lake.py": ("store/entity_names",),
    "core/sources/test_databases.py": ("core/sources/queried",),
    "core/test_transitions.py": ("core/rollout",),
    "engine/test_project.py": ("engine/identity", "engine/project_file"),
    "store/test_catalog.py": ("core/artifacts", "core/lineage", "core/roles"),
    "engine/test_run.py": ("core/events", "engine/stages"),
    "ingest/test_expectation.py": ("core/loads",),
    "cli/test_contracts.py": ("core/changes", "engine/reviews", "ingest/consent", "ingest/naming"),
    "validate/test_performance.py": (
        "validate/blind_performance", "validate/class_performance", "validate/number_performance",
        "validate/yes_no_performance",
    ),
    "validate/test_card.py": ("validate/words",),
    "train/detectors/test_distance.py": ("testing/detectors", "train/detector"),
    "train/test_tasks.py": ("train/decision", "train/fitting"),
    "train/learners/test_linear.py": ("train/learners/encoding",),
    "train/test_train.py": (
        "core/model", "store/models", "train/candidates", "train/environment", "train/estimates", "train/finish",
        "train/lanes", "train/material", "train/memo", "train/race", "train/teller",
    ),
    "train/test_embedding_graph.py": ("ops/embedding", "train/embedding_wheel"),
    "train/test_texts.py": ("core/texts", "train/learners/text", "train/text_column", "train/text_encoding"),
    "train/test_text_scope.py": ("ops/text_scope",),
    "train/learners/test_hook.py": ("train/graph", "train/learner", "train/trees", "train/learners/imputer"),
    "store/test_code_models.py": ("store/code_child", "testing/code_models"),
    "deliver/test_score.py": (
        "deliver/inputs", "deliver/job", "deliver/lanes", "deliver/options", "deliver/parts", "deliver/step",
    ),
    "deliver/test_deliver.py": ("core/outlets/outgoing", "deliver/leaving", "deliver/outbox", "deliver/outlet"),
    "deliver/forecast/test_forecast.py": (
        "core/forecast", "deliver/forecast/asked", "deliver/forecast/history", "deliver/forecast/orders",
        "deliver/forecast/panel", "deliver/forecast/reconciled", "deliver/forecast/rolled", "deliver/forecast/what_if",
    ),
    "cli/test_forecast.py": ("engine/forecast",),
    "deliver/test_files.py": ("core/outlets/files", "deliver/file_formats"),
    "deliver/test_kafka.py": ("core/outlets/streams",),
    "deliver/test_mqtt.py": ("core/outlets/things",),
    "deliver/test_webhook.py": ("connect/webhook_signature", "core/outlets/web", "deliver/json_rows"),
    "deliver/crm/test_outlet.py": (
        "core/outlets/crm", "deliver/crm/api", "deliver/crm/dynamics", "deliver/crm/hubspot", "deliver/crm/jira",
        "deliver/crm/salesforce", "deliver/crm/servicenow", "deliver/crm/system", "deliver/crm/zendesk",
    ),
    "deliver/test_sql.py": (
        "core/outlets/databases", "deliver/sql_columns", "deliver/sql_table", "testing/outlets",
    ),
    "deploy/test_deploy.py": ("deploy/targets",),
    "deploy/test_rollout.py": ("deploy/local_way_back",),
    "deploy/test_replay.py": (
        "deploy/fitting", "deploy/recorded", "deploy/replay_page", "deploy/replay_report", "deploy/tally",
    ),
    "ingest/test_contract.py": ("ingest/admission", "ingest/judging", "ingest/rules"),
    "ingest/test_formats.py": (
        "connect/place", "ingest/reading", "store/files/batches", "store/files/delimited", "store/files/json_lines",
        "store/files/parquet",
    ),
    "ingest/test_binary_formats.py": ("store/files/arrow", "store/files/avro", "store/files/text_rows"),
    "ingest/test_encodings.py": ("store/files/archive", "store/files/encodings", "store/files/formats"),
    "ingest/test_log_lines.py": ("ingest/grok",),
    "ingest/test_logs.py": ("core/sources/logs", "ingest/log_files", "ingest/log_records", "ingest/sessions"),
    "ingest/test_documents.py": ("core/sources/documents", "ingest/document_set"),
    "ingest/test_excel.py": ("store/files/excel",),
    "ingest/test_fixed.py": ("store/files/fixed",),
    "ingest/test_xml.py": ("store/files/xml",),
    "ingest/test_files.py": ("ingest/ingest", "store/files/listing", "testing/readers"),
    "ingest/test_kafka.py": (
        "connect/kafka", "core/sources/streams", "ingest/kafka_cluster", "ingest/kafka_envelope", "ingest/kafka_rows",
        "ingest/messages",
    ),
    "ingest/test_python.py": ("core/sources/code", "ingest/row_batches"),
    "ingest/test_delta.py": ("core/sources/lakes", "ingest/delta_table", "ingest/lake_reading", "ingest/lake_words"),
    "ingest/bigquery/test_jobs.py": ("ingest/bigquery/faults",),
    "ingest/bigquery/test_reader.py": ("core/sources/warehouses", "ingest/bigquery/rows"),
    "ingest/iceberg/test_finding.py": (
        "ingest/iceberg/files", "ingest/iceberg/rest_catalog", "ingest/iceberg/sql_catalog",
    ),
    "ingest/iceberg/test_reader.py": ("ingest/iceberg/table",),
    "ingest/test_nats.py": (
        "connect/nats", "core/sources/queues", "ingest/contents", "ingest/letters", "ingest/nats_api",
        "ingest/nats_stream",
    ),
    "ingest/test_adf.py": ("connect/data_factory", "core/sources/pipelines"),
    "ingest/test_amqp.py": ("connect/amqp", "ingest/amqp_inbox"),
    "ingest/test_mqtt.py": (
        "connect/mqtt", "connect/tls", "core/sources/things", "ingest/mqtt_connection", "ingest/mqtt_inbox",
        "ingest/spooled",
    ),
    "ingest/afar/test_listing.py": ("ingest/afar/open", "connect/afar/store"),
    "ingest/test_crm.py": ("core/sources/crm",),
    "ingest/test_rest.py": ("core/sources/web",),
    "ingest/test_wheel.py": ("connect/wheels",),
    "ingest/test_web_auth.py": ("connect/web_auth",),
    "ingest/test_web_call.py": ("connect/web_call",),
    "ingest/afar/test_buckets.py": ("connect/afar/buckets",),
    "ingest/afar/test_sftp.py": ("connect/afar/sftp",),
    "ingest/afar/test_web.py": ("connect/afar/web",),
    "ingest/test_staging.py": ("ingest/origin",),
    "ingest/test_replay.py": ("ingest/destination", "store/quarantine"),
    "ingest/test_content.py": ("store/files/content", "store/files/marks"),
    "ingest/test_evolution.py": ("ingest/columns", "ingest/readership"),
    "ingest/test_profile.py": ("ingest/profile_page",),
    "ingest/databases/test_columns.py": (
        "ingest/databases/fetching", "ingest/databases/relation", "connect/databases/statements",
    ),
    "ingest/databases/test_faults.py": (
        "connect/databases/database", "connect/databases/faults", "connect/databases/server",
    ),
    "ingest/databases/test_marks.py": ("ingest/databases/planning",),
    "ingest/databases/test_reader.py": ("ingest/sql", "ingest/databases/content"),
    "ingest/replication/test_reader.py": ("ingest/cdc", "ingest/replication/note"),
    "ingest/webhook/test_reader.py": ("core/sources/pushed", "ingest/webhook/rows"),
    "ingest/webhook/test_receiver.py": ("ingest/webhook/inbox",),
    "ingest/replication/test_slot.py": ("ingest/replication/publication",),
    "monitor/test_tasks.py": ("monitor/measures", "monitor/outcomes", "monitor/page_labels"),
    "monitor/test_monitor.py": (
        "monitor/advice", "monitor/columns", "monitor/findings", "monitor/timeline", "monitor/traffic",
    ),
    "ops/test_rows.py": ("ops/packing",),
    "ops/test_knowledge.py": ("core/passages",),
    "serve/test_chat.py": (
        "core/chat", "core/conversation", "engine/forgetting", "serve/chat_messages", "serve/desk", "serve/feedback",
        "train/chat",
    ),
    "serve/test_search.py": ("serve/talk_paths",),
    "ops/test_retriever.py": ("ops/names_alike", "ops/purchases", "ops/together"),
    "ops/test_windows.py": ("core/windows",),
    "prepare/test_knowledge.py": ("store/knowledge",),
    "prepare/test_candidates.py": ("core/items", "prepare/items", "store/retrievers"),
    "prepare/test_prepare.py": ("prepare/cases", "store/cases"),
    "connect/papers/test_desk.py": (
        "connect/papers/frames", "connect/papers/process", "core/reading", "ops/paper_rows",
    ),
    "engine/test_documents.py": ("connect/papers/taggers",),
    "ops/test_field_tagging.py": ("ops/paper_marks", "ops/tagger"),
    "ops/test_fields.py": ("ops/field_amounts", "ops/field_dates", "ops/field_numbers"),
    "store/papers/test_picture.py": ("store/papers/scan",),
    "store/papers/test_reading.py": (
        "store/papers/complaints", "store/papers/docx", "store/papers/html", "store/papers/mail", "store/papers/media",
        "store/papers/pdf", "store/papers/plain",
    ),
    "release/test_release.py": ("release/bundle",),
    "serve/test_dashboard.py": (
        "serve/dashboard_paths", "serve/forecast_answers", "serve/forecast_messages", "serve/questions",
    ),
    "serve/test_review_queue.py": (
        "core/review_queue", "serve/queue_answers", "serve/queue_messages", "serve/queue_paths",
    ),
    "cli/test_review_queue.py": ("engine/review_queue", "store/review_queue"),
    "serve/test_door.py": ("serve/answers",),
    "connect/http/test_connection.py": ("connect/http/body", "connect/http/limits", "connect/http/settings"),
    "serve/test_tls.py": ("connect/http/tls",),
    "serve/test_listening.py": ("connect/http/listening",),
    "serve/test_arrow_stream.py": ("serve/arrow_messages", "serve/arrow_rows"),
    "serve/test_line_stream.py": ("serve/streams",),
    "serve/test_recommend.py": ("ops/shown", "ops/why", "serve/item_list", "serve/items", "serve/recommend_messages"),
    "serve/test_scoring.py": ("serve/contender",),
    "serve/test_settings.py": ("serve/order",),
    "serve/test_worker.py": ("serve/surroundings",),
    "serve/test_grpc_server.py": ("serve/grpc_tensors",),
    "serve/test_predict.py": ("serve/complaints",),
    "serve/test_openapi.py": ("serve/docs", "serve/operations"),
    "serve/test_inference.py": ("serve/binary_tensors", "serve/packed_tensors", "serve/protocol"),
    "train/learners/test_logistic.py": ("testing/learners",),
    "validate/test_contract.py": ("testing/gates", "testing/borrowers", "testing/parcels"),
    "validate/test_retrieval.py": ("core/knowledge", "train/knowledge"),
    "validate/test_validate.py": ("validate/evidence",),
}  # fmt: skip


def _parts(product):
    names = [PurePosixPath(source.name).relative_to("src/drivetrain") for source in product]
    return {str(name.with_suffix("")) for name in names if len(name.parts) > 1 and not name.name.startswith("__")}


def _own(part):
    room, _, file = part.rpartition("/")
    return f"{room}/test_{file}.py"


def test_every_file_is_tested_by_its_own_test_file_or_through_one_that_is_named(product, tests):
    there = {source.name.removeprefix("tests/") for source in tests}
    through = {part for parts in THROUGH.values() for part in parts}
    untested = sorted(part for part in _parts(product) if _own(part) not in there and part not in through)
    assert not untested, "\n".join(untested)


def test_the_map_holds_nothing_that_is_not_so(product, tests):
    there = {source.name.removeprefix("tests/") for source in tests}
    assert [test for test in THROUGH if test not in there] == []
    through = [part for parts in THROUGH.values() for part in parts]
    assert len(through) == len(set(through))
    assert [part for part in through if part not in _parts(product)] == []
    assert [part for part in through if _own(part) in there] == [], "these have test files of their own by now"
