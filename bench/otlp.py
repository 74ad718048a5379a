# SPDX-License-Identifier: Apache-2.0
"""bench/run otlp: spans, log records and samples in, beside the event store's own way, VictoriaMetrics and Prometheus; a trace by its id. See docs/benchmarks.md."""
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import time
import urllib.parse
import urllib.request

BATCH = 8192          # of the collector's batch processor
SCRAPE_SECONDS = 15
SAMPLE_BATCH = 2000   # samples of a remote write request: Prometheus' own default since 2.50 (before: 500)
EXPORTER_BATCHES = {"JSONEachRow, 8,192 per INSERT": BATCH, "JSONEachRow, 100,000 per INSERT": 100000}

# The columns that document 001 prints, with its types and indexes; it names no codecs, so there are none. Order and partitions as in its product's sources.
SEED_TRACES = """CREATE TABLE observability.bench_seed_traces (
  timestamp DateTime64(9), trace_id String, span_id String, parent_span_id String, trace_state String, span_name String,
  span_kind Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5), service_name String,
  organization_id String, workspace_id String, tenant_id String, resource_attributes Map(String, String), scope_name String, scope_version String,
  span_attributes Map(String, String), duration_nano UInt64, end_timestamp DateTime64(9), status_code Enum8('unset' = 0, 'ok' = 1, 'error' = 2),
  status_message String, dropped_attributes_count UInt32, dropped_events_count UInt32, dropped_links_count UInt32,
  events Nested(timestamp DateTime64(9), name String, attributes Map(String, String)),
  links Nested(trace_id String, span_id String, state String, attributes Map(String, String)),
  date Date MATERIALIZED toDate(timestamp), hour DateTime MATERIALIZED toStartOfHour(timestamp),
  INDEX tenant tenant_id TYPE bloom_filter GRANULARITY 1, INDEX workspace workspace_id TYPE bloom_filter GRANULARITY 1,
  INDEX service service_name TYPE bloom_filter GRANULARITY 1, INDEX trace trace_id TYPE bloom_filter GRANULARITY 1,
  INDEX span span_id TYPE bloom_filter GRANULARITY 1, INDEX parent parent_span_id TYPE bloom_filter GRANULARITY 1,
  INDEX times timestamp TYPE minmax GRANULARITY 1, INDEX durations duration_nano TYPE minmax GRANULARITY 1,
  INDEX kinds span_kind TYPE set(0) GRANULARITY 1, INDEX statuses status_code TYPE set(0) GRANULARITY 1
) ENGINE = MergeTree PARTITION BY date ORDER BY (service_name, trace_id, timestamp) SETTINGS {settings}"""
SEED_TRACES_COLUMNS = """timestamp, trace_id, span_id, parent_span_id, trace_state, span_name, span_kind, service_name, organization_id, workspace_id,
  tenant_id, resource_attributes, scope_name, scope_version, span_attributes, duration_nano, end_timestamp, status_code, status_message,
  dropped_attributes_count, dropped_events_count, dropped_links_count, `events.timestamp`, `events.name`, `events.attributes`,
  `links.trace_id`, `links.span_id`, `links.state`, `links.attributes`"""
SEED_LOGS = """CREATE TABLE observability.bench_seed_logs (
  timestamp DateTime64(9), observed_timestamp DateTime64(9), trace_id String, span_id String, trace_flags UInt32, severity_text String,
  severity_number UInt8, service_name String, organization_id String, workspace_id String, tenant_id String, body String,
  resource_attributes Map(String, String), scope_name String, scope_version String, log_attributes Map(String, String),
  date Date MATERIALIZED toDate(timestamp), hour DateTime MATERIALIZED toStartOfHour(timestamp),
  INDEX tenant tenant_id TYPE bloom_filter GRANULARITY 1, INDEX workspace workspace_id TYPE bloom_filter GRANULARITY 1,
  INDEX service service_name TYPE bloom_filter GRANULARITY 1, INDEX trace trace_id TYPE bloom_filter GRANULARITY 1,
  INDEX bodies body TYPE bloom_filter GRANULARITY 1, INDEX times timestamp TYPE minmax GRANULARITY 1,
  INDEX levels severity_number TYPE minmax GRANULARITY 1, INDEX texts severity_text TYPE set(0) GRANULARITY 1
) ENGINE = MergeTree PARTITION BY date ORDER BY (service_name, timestamp) SETTINGS {settings}"""
SEED_LOGS_COLUMNS = """timestamp, observed_timestamp, trace_id, span_id, trace_flags, severity_text, severity_number, service_name,
  organization_id, workspace_id, tenant_id, body, resource_attributes, scope_name, scope_version, log_attributes"""
SEED_METRICS = """CREATE TABLE observability.bench_seed_metrics (
  timestamp DateTime64(9), metric_name String, service_name String, organization_id String, workspace_id String, tenant_id String,
  resource_attributes Map(String, String), scope_name String, scope_version String, attributes Map(String, String), value Float64, unit String,
  metric_type String, temporality String, is_monotonic UInt8, exemplar_trace_id String, exemplar_span_id String,
  exemplar_timestamp DateTime64(9), exemplar_value Float64, exemplar_attributes Map(String, String),
  date Date MATERIALIZED toDate(timestamp), hour DateTime MATERIALIZED toStartOfHour(timestamp),
  INDEX tenant tenant_id TYPE bloom_filter GRANULARITY 1, INDEX workspace workspace_id TYPE bloom_filter GRANULARITY 1,
  INDEX organization organization_id TYPE bloom_filter GRANULARITY 1, INDEX service service_name TYPE bloom_filter GRANULARITY 1,
  INDEX metric metric_name TYPE bloom_filter GRANULARITY 1, INDEX times timestamp TYPE minmax GRANULARITY 1,
  INDEX amounts value TYPE minmax GRANULARITY 1, INDEX types metric_type TYPE set(0) GRANULARITY 1,
  INDEX temporalities temporality TYPE set(0) GRANULARITY 1
) ENGINE = MergeTree PARTITION BY date ORDER BY (service_name, metric_name, timestamp) SETTINGS min_bytes_for_wide_part = 0"""
SEED_METRICS_ROWS = """INSERT INTO observability.bench_seed_metrics (timestamp, metric_name, service_name, organization_id, workspace_id, tenant_id,
  resource_attributes, attributes, value, unit, metric_type, temporality, is_monotonic)
  SELECT timestamp, metric_name, service_name, organization_id, workspace_id, tenant_id, resource_attributes, attributes, value, unit,
  toString(metric_type), toString(temporality), is_monotonic FROM observability.metrics_v3"""
# Syncs as our tables have them: an insert that may be lost would be cheaper.
DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 10000"

SIGNALS = {
    "traces": {"table": "traces_v3", "path": "/v1/traces", "grpc": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
               "seed": "bench_seed_traces", "create": SEED_TRACES, "columns": SEED_TRACES_COLUMNS, "unit": "spans"},
    "logs": {"table": "logs_v3", "path": "/v1/logs", "grpc": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
             "seed": "bench_seed_logs", "create": SEED_LOGS, "columns": SEED_LOGS_COLUMNS, "unit": "log records"},
}
# As document 001's settings differ from ours only in what it does not name, limits of the statements that copy rows are off.
COPY = {"max_memory_usage": 0, "max_threads": 1, "max_execution_time": 0, "max_insert_block_size": 200000}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def size_below(folder):
    return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names)


def program(name):
    """Unpacked for tests by ./dev, or of this machine."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    unpacked = os.path.join(root, ".deps", name, "usr", "bin", name)
    return unpacked if os.path.exists(unpacked) else shutil.which(name)


def make_server(bench, options, folder):
    class Server(bench.Server):
        """With an address for gRPC."""

        def __init__(self):
            self.millrace, self.data = os.path.join(options.build, "millrace"), os.path.join(folder, "data")
            self.log = open(os.path.join(folder, "server.log"), "w")
            self.process = subprocess.Popen(
                [self.millrace, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--otlp.grpc_listen", "127.0.0.1:0",
                 "--otlp.http_listen", ""], stdout=subprocess.PIPE, stderr=self.log, text=True)
            self.pid = self.process.pid
            lines = {}
            while "ready" not in lines or "otlp.grpc" not in lines:  # written together
                line = self.process.stdout.readline().split()
                if len(line) != 2:
                    raise SystemExit(f"the server did not start: see {self.log.name}")
                lines[line[0]] = line[1]
            self.url, self.grpc = lines["ready"], lines["otlp.grpc"]
            self.prepare()

        def settle(self, table, count, seconds=bench.DEADLINE_SECONDS):
            """Waits until all rows are visible and nothing merges."""
            quiet, before, end = 0, None, time.monotonic() + seconds
            while quiet < bench.QUIET_POLLS:
                if time.monotonic() > end:
                    raise SystemExit(f"observability.{table}: not settled, {before} instead of {count} rows")
                time.sleep(bench.POLL_SECONDS)
                now = self.rows("SELECT sumIf(rows, table = '%s'), count(), (SELECT count() FROM system.merges) FROM system.parts "
                                "WHERE active AND database = 'observability'" % table)[0]
                quiet = quiet + 1 if now == before and int(now[0]) == count and now[2] == "0" else 0
                before = now

        def bytes_of(self, table):
            return int(self.rows(f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'observability' AND table = '{table}'")[0][0])

        def heaviest(self, table, count, limit=8):
            self.sql(f"ALTER TABLE observability.{table} MODIFY SETTING min_bytes_for_wide_part = 0")  # a file per column: what it says
            self.sql(f"OPTIMIZE TABLE observability.{table} FINAL", max_execution_time=0)
            return ", ".join(f"{name} {int(size) / count:.2f}" for name, size in self.rows(
                "SELECT column, sum(column_data_compressed_bytes) AS size FROM system.parts_columns WHERE active AND database = 'observability' "
                f"AND table = '{table}' GROUP BY column ORDER BY size DESC LIMIT {limit}"))

    return Server()


def send(bench, options, url, **flags):
    """Runs the generator against a server; returns what it sent."""
    address = urllib.parse.urlparse(url)
    command = [os.path.join(options.build, "bench", "bench_telemetry"), "--url", f"{address.hostname}:{address.port}"]
    for name, value in flags.items():
        command += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


# --- spans and log records: OTLP against JSONEachRow ---------------------------------------------------------------------

class Signal:
    def __init__(self, bench, options, server, kind):
        self.bench, self.options, self.server, self.kind = bench, options, server, kind
        self.about, self.token, self.lines = SIGNALS[kind], 0, []
        self.count, self.sendings = 0, 0
        server.sql(self.about["create"].format(settings=DURABLE))
        self.ways = {"OTLP, protobuf over HTTP": (self.about["table"], lambda: self.otlp(server.url, self.about["path"])),
                     "OTLP, gRPC": (self.about["table"], lambda: self.otlp(server.grpc, self.about["grpc"], grpc=True))}
        for name, rows in EXPORTER_BATCHES.items():
            self.ways[name] = (self.about["seed"], lambda rows=rows: self.insert(rows))

    def otlp(self, url, path, **flags):
        self.sendings += 1  # a body that comes again is not stored again: each sending has its own
        sent = send(self.bench, self.options, url, path=path, key=self.server.secret_key, kind=self.kind, items=self.options.events, batch=BATCH,
                    seed=self.options.seed + 1000 * self.sendings, now_ms=self.options.now_ms, **flags)
        self.count, self.sent = sent["items"], sent
        self.server.wait_stored()
        return sent

    def insert(self, rows):
        for at in range(0, len(self.lines), rows):
            self.token += 1
            self.server.sql(f"INSERT INTO observability.{self.about['seed']} FORMAT JSONEachRow", b"\n".join(self.lines[at:at + rows]),
                            insert_deduplication_token=f"bench-{self.token}")

    def keep_lines(self):
        """What the exporter would insert: the rows that OTLP brought, as JSON in the columns of document 001."""
        self.lines = self.server.sql(f"SELECT {self.about['columns']} FROM observability.{self.about['table']} ORDER BY timestamp FORMAT JSONEachRow",
                                     max_memory_usage=0).splitlines()

    def measure(self, way):
        table, work = self.ways[way]
        self.server.sql(f"TRUNCATE TABLE observability.{table}")
        self.server.settle(table, 0)
        before, started = self.server.cpu(), time.monotonic()
        result = work()
        sent = time.monotonic() - started
        stored = self.server.cpu()
        self.server.settle(table, self.count)
        self.server.sql(f"OPTIMIZE TABLE observability.{table} FINAL", optimize_skip_merged_partitions=1, max_execution_time=0)
        after = self.server.cpu()
        million = self.count / 1e6
        return {"server": (stored["server"] - before["server"]) / million, "stored": (sum(stored.values()) - sum(before.values())) / million,
                "merged": (sum(after.values()) - sum(before.values())) / million, "seconds": sent}

    def run(self):
        first = list(self.ways)[0]
        self.measure(first)
        self.keep_lines()
        if len(self.lines) != self.count:
            raise SystemExit(f"{self.count} were sent, {len(self.lines)} are stored")
        for way in list(self.ways)[1:]:
            self.measure(way)
        rounds = {way: [] for way in self.ways}
        for number in range(self.options.rounds):
            for way in self.ways:
                rounds[way].append(self.measure(way))
                self.bench.say(f"{self.kind}, round {number + 1}, {way}: {rounds[way][-1]['merged']:.2f} CPU-s per million, until stored {rounds[way][-1]['stored']:.2f}")
        return rounds


def bench_signal(bench, options, server, kind):
    one = Signal(bench, options, server, kind)
    rounds = one.run()
    base = rounds["JSONEachRow, 8,192 per INSERT"]
    # In files per column, as a table has them that is not of minutes: what the last sending of each left.
    columns = {table: server.heaviest(table, one.count) for table in (one.about["table"], one.about["seed"])}
    sizes = {table: server.bytes_of(table) / one.count for table in columns}
    print(f"\n### {one.about['unit']}: CPU-seconds per million, median (least-most) of {options.rounds} rounds\n")
    print(f"{one.count} {one.about['unit']} a round in requests of {BATCH}, {one.sent['bytes'] / one.count:.0f} bytes each as protobuf, "
          f"{sum(map(len, one.lines)) / one.count:.0f} as JSON.\n")
    bench.print_table(
        ["way", "until stored", "per core-second", "ratio to 8,192 per INSERT", "merged to one part", "ratio", "server", f"bytes of a row on disk"],
        [[way, bench.spread([r["stored"] for r in list_]), f"{1e6 / statistics.median(r['stored'] for r in list_):,.0f}",
          bench.spread([r["stored"] / b["stored"] for r, b in zip(list_, base)]), bench.spread([r["merged"] for r in list_]),
          bench.spread([r["merged"] / b["merged"] for r, b in zip(list_, base)]), bench.spread([r["server"] for r in list_]),
          f"{sizes[one.ways[way][0]]:.2f}"] for way, list_ in rounds.items()])
    print(f"Heaviest columns, ours: {columns[one.about['table']]}. As document 001 prints it: "
          f"{columns[one.about['seed']]}.\n")
    server.sql(f"DROP TABLE observability.{one.about['seed']}")
    return rounds


# --- samples: remote write, beside VictoriaMetrics and Prometheus ---------------------------------------------------------

class Peer:
    """Another program that takes remote write, in a folder of its own."""

    def __init__(self, bench, folder, name, words, path):
        self.bench, self.name, self.path, self.port = bench, name, path, free_port()
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(os.path.join(folder, name + ".log"), "w")
        words = [word.format(folder=self.folder, port=self.port) for word in words]
        self.process = subprocess.Popen([program(name), *words], stdout=self.log, stderr=self.log)
        bench.wait_for(name, self.is_up, pause=0.1)

    def is_up(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} ended: see {self.log.name}")
        try:
            return urllib.request.urlopen(self.url + "/-/healthy" if self.name == "prometheus" else self.url + "/health", timeout=1).status == 200
        except OSError:
            return False

    def post(self, path):
        return urllib.request.urlopen(urllib.request.Request(self.url + path, method="POST"), timeout=600).read()

    def cpu(self):
        return self.bench.cpu_nanoseconds(self.process.pid) / 1e9

    def calm(self):
        """Waits until it does nothing more: less than a hundredth of a processor for three seconds."""
        def is_calm():
            before = self.cpu()
            time.sleep(3)
            return self.cpu() - before < 0.03
        self.bench.wait_for(self.name + " to come to rest", is_calm, 300)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start_peers(bench, folder):
    config = os.path.join(folder, "prometheus.yml")
    with open(config, "w") as file:
        file.write("global: {}\n")
    wanted = {
        "victoria-metrics": (["-storageDataPath={folder}", "-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y", "-loggerLevel=WARN"], "/api/v1/write"),
        "prometheus": (["--config.file=" + config, "--storage.tsdb.path={folder}", "--web.listen-address=127.0.0.1:{port}",
                        "--web.enable-remote-write-receiver", "--web.enable-admin-api", "--storage.tsdb.retention.time=10y", "--log.level=warn"], "/api/v1/write"),
    }
    peers = {}
    for name, (words, path) in wanted.items():
        if program(name):
            peers[name] = Peer(bench, folder, name, words, path)
        else:
            bench.say(f"{name} is not here: its columns are missing")
    return peers


def settle_samples(server, count):
    server.settle("metric_samples", count, 300)


def bench_samples(bench, options, server, folder):
    scrapes = max(1, options.samples // options.series)
    start = options.now_ms - (options.rounds + 1) * scrapes * SCRAPE_SECONDS * 1000
    peers = start_peers(bench, folder)
    sent = 0
    costs = {name: [] for name in ["millrace", *peers]}
    times = {name: [] for name in costs}
    own = []  # the server's part of ours
    try:
        for number in range(options.rounds + 1):  # the first does not count: it makes the series
            # Turn about who comes first: the machine gets slower or faster in between.
            for name in list(costs) if number % 2 else reversed(list(costs)):
                peer = peers.get(name)
                read = (lambda: sum(bench.cpu_nanoseconds(pid) for pid in (server.pid, server.engine_pid)) / 1e9) if not peer else peer.cpu
                before, server_before, started = read(), bench.cpu_nanoseconds(server.pid), time.monotonic()
                result = send(bench, options, peer.url if peer else server.url, path="/api/v1/write", kind="samples", items=scrapes * options.series,
                              batch=SAMPLE_BATCH, series=options.series, seed=options.seed, now_ms=start, skip=number * scrapes,
                              key="" if peer else server.secret_key)
                seconds = time.monotonic() - started
                if peer:
                    if name == "victoria-metrics":
                        peer.post("/internal/force_flush")
                    peer.calm()
                else:
                    server.wait_stored()
                    settle_samples(server, sent + result["items"])
                cost = (read() - before) / result["items"] * 1e6
                bench.say(f"samples, round {number}, {name}: {cost:.3f} CPU-s per million")
                if number and not peer:
                    own.append((bench.cpu_nanoseconds(server.pid) - server_before) / 1e3 / result["items"])
                if number:
                    costs[name].append(cost)
                    times[name].append(result["items"] / seconds)
            sent += result["items"]
        sizes = {}
        server.sql("OPTIMIZE TABLE observability.metric_samples FINAL", max_execution_time=0)
        server.sql("OPTIMIZE TABLE observability.metric_series FINAL", max_execution_time=0)
        series_bytes, sample_bytes = server.bytes_of("metric_series"), server.bytes_of("metric_samples")
        sizes["millrace"] = f"{(series_bytes + sample_bytes) / sent:.3f} (samples {sample_bytes / sent:.3f}, series {series_bytes / sent:.3f})"
        heaviest = server.heaviest("metric_samples", sent)
        server.sql(SEED_METRICS)
        server.sql(SEED_METRICS_ROWS, **COPY)
        server.sql("OPTIMIZE TABLE observability.bench_seed_metrics FINAL", max_execution_time=0, max_memory_usage=0)
        seed_rows = int(server.rows("SELECT count() FROM observability.bench_seed_metrics")[0][0])
        seed_bytes = server.bytes_of("bench_seed_metrics") / seed_rows
        server.sql("DROP TABLE observability.bench_seed_metrics")
        if seed_rows != sent:
            raise SystemExit(f"{sent} samples were sent, metrics_v3 shows {seed_rows}")
        if "victoria-metrics" in peers:
            peer = peers["victoria-metrics"]
            peer.post("/internal/force_merge")
            peer.calm()
            sizes[peer.name] = f"{size_below(peer.folder) / sent:.3f} (all its files, force_merge)"
        if "prometheus" in peers:
            peer = peers["prometheus"]
            snapshot = json.loads(peer.post("/api/v1/admin/tsdb/snapshot"))["data"]["name"]
            sizes[peer.name] = f"{size_below(os.path.join(peer.folder, 'snapshots', snapshot)) / sent:.3f} (blocks of a snapshot)"
    finally:
        for peer in peers.values():
            peer.stop()
    print(f"\n### remote write: samples, median (least-most) of {options.rounds} rounds\n")
    print(f"{sent} samples of {options.series} series, scraped every {SCRAPE_SECONDS} s, in requests of {SAMPLE_BATCH} "
          f"({result['bytes'] / result['items']:.1f} bytes a sample, snappy), 4 connections.\n")
    bench.print_table(["program", "CPU-seconds per million samples", "samples per core-second", "ratio to VictoriaMetrics", "sent at, samples/s", "bytes a sample on disk"],
                      [[name, bench.spread(costs[name], 3), f"{1e6 / statistics.median(costs[name]):,.0f}",
                        bench.spread([a / b for a, b in zip(costs[name], costs["victoria-metrics"])]) if "victoria-metrics" in costs else "",
                        bench.spread(times[name], 0), sizes[name]] for name in costs])
    print(f"Of ours the server takes {bench.spread(own, 3)}, the event store the rest. As document 001 prints it: {seed_bytes:.2f} bytes a sample. Heaviest columns of ours: {heaviest}.\n")
    return {"costs": costs, "sizes": sizes, "seed_bytes": seed_bytes}


# --- a trace by its id ---------------------------------------------------------------------------------------------------

TRACE_SAMPLE = 200000
TRACE_QUESTIONS = 500
TRACE_COPIES = 5   # of one statement: parts of a million spans, which merge as often as those of a busy server, not five times as often
TRACE_SECONDS = 3600  # that merges may take at the end
# Copies of the sample, each ten minutes earlier: other traces with other ids, of the same shapes.
TRACE_COPY = """INSERT INTO observability.traces_v3 SELECT * EXCEPT (copy) REPLACE (
  fromUnixTimestamp64Nano(toUnixTimestamp64Nano(timestamp) - 600000000000 * copy, 'UTC') AS timestamp,
  toFixedString(MD5(concat(trace_id_bytes, toString(copy))), 16) AS trace_id_bytes,
  toFixedString(concat(substring(MD5(concat(substring(span_ids, 1, 8), toString(copy))), 1, 8),
    if(substring(span_ids, 9, 8) = repeat('\\0', 8), repeat('\\0', 8), substring(MD5(concat(substring(span_ids, 9, 8), toString(copy))), 1, 8))), 16) AS span_ids)
  FROM observability.bench_sample ARRAY JOIN range({first}, {last}) AS copy"""


def make_spans(bench, options, server):
    """The sample over HTTP, its copies by the event store; returns how many spans there are."""
    server.sql("TRUNCATE TABLE observability.traces_v3")
    sent = send(bench, options, server.url, path="/v1/traces", key=server.secret_key, kind="traces", items=min(TRACE_SAMPLE, options.trace_spans), batch=BATCH,
                seed=options.seed, now_ms=options.now_ms)
    server.wait_stored()
    server.settle("traces_v3", sent["items"])
    server.sql("CREATE TABLE observability.bench_sample AS observability.traces_v3 PRIMARY KEY tuple() ORDER BY tuple()")
    server.sql("INSERT INTO observability.bench_sample SELECT * FROM observability.traces_v3")
    copies, started, said = max(1, round(options.trace_spans / sent["items"])), time.monotonic(), 0
    for first in range(1, copies, TRACE_COPIES):
        last = min(copies, first + TRACE_COPIES)
        server.sql(TRACE_COPY.format(first=first, last=last), **COPY, min_insert_block_size_rows=TRACE_COPIES * TRACE_SAMPLE, min_insert_block_size_bytes=0)
        if time.monotonic() - said > 30:
            said = time.monotonic()
            parts, merges = server.rows("SELECT count(), (SELECT count() FROM system.merges) FROM system.parts WHERE active AND database = 'observability' AND table = 'traces_v3'")[0]
            bench.say(f"a trace by its id: {last * sent['items']:,} of {copies * sent['items']:,} spans after {said - started:.0f} s, {parts} parts, {merges} merges")
    server.sql("DROP TABLE observability.bench_sample")
    server.settle("traces_v3", sent["items"] * copies, TRACE_SECONDS)
    bench.say(f"a trace by its id: {copies * sent['items']:,} spans stand still after {time.monotonic() - started:.0f} s")
    return copies * sent["items"]


def bench_trace_by_id(bench, options, server):
    count = make_spans(bench, options, server)
    spans, parts, days, size = server.rows("SELECT sum(rows), count(), uniqExact(partition), sum(bytes_on_disk) FROM system.parts "
                                           "WHERE active AND database = 'observability' AND table = 'traces_v3'")[0]
    nth = max(1, count // 10 // (4 * TRACE_QUESTIONS))  # some ten spans a trace: four times as many ids as are needed, not all of them, are sorted
    ids = [row[0] for row in server.rows(f"SELECT DISTINCT trace_id FROM observability.traces_v3 WHERE cityHash64(trace_id_bytes) % {nth} = 0 "
                                         f"ORDER BY cityHash64(trace_id) LIMIT {TRACE_QUESTIONS + 20}")]
    address = urllib.parse.urlparse(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    took, found = [], 0
    for number, trace in enumerate(ids):
        started = time.monotonic()
        connection.request("GET", f"/api/v2/query/signals/traces/{trace}", headers={"Authorization": "Bearer " + server.secret_key})
        answer = connection.getresponse()
        rows = json.loads(answer.read())
        if answer.status != 200 or not rows["data"]:
            raise SystemExit(f"trace {trace}: {answer.status} {rows}")
        if number >= 20:  # the first twenty warm the connection
            took.append((time.monotonic() - started) * 1000)
            found += len(rows["data"])
    connection.close()
    took.sort()
    figures = {"spans": int(spans), "parts": int(parts), "bytes_per_span": int(size) / int(spans), "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]}
    print(f"\n### a trace by its id, without a time\n\n{figures['spans']:,} spans in {parts} parts of {days} days ({figures['bytes_per_span']:.1f} bytes each), {len(took)} traces of "
          f"{found / len(took):.1f} spans, one after the other, each for the first time: p50 {figures['p50']:.1f} ms, p99 {figures['p99']:.1f} ms.\n")
    return figures


def bench_decode(bench, options):
    """What decoding alone costs: the micro-benchmark beside the decoders."""
    target = os.path.join("src", "domains", "observability", "otlp_bench")
    subprocess.run(["ninja", "-C", options.build, target], stdout=subprocess.DEVNULL, check=True)
    text = subprocess.run([os.path.join(options.build, target)], capture_output=True, text=True, check=True).stdout
    print(f"\n### decoding alone\n\n```\n{text}```\n")
    return text


def bench_otlp(bench, options, folder):
    os.environ.setdefault("MILLRACE_ENGINE_MEMORY", "4GiB")  # rows of the document's layout are made in one statement
    os.environ.setdefault("MILLRACE_QUERY_CACHE", "0")
    parts = options.otlp_parts.split(",")
    server = make_server(bench, options, folder)
    results = {}
    print("\n## otlp\n")
    try:
        for kind in SIGNALS:
            if kind in parts: results[kind] = bench_signal(bench, options, server, kind)
        if "samples" in parts: results["samples"] = bench_samples(bench, options, server, folder)
        if "trace" in parts: results["trace"] = bench_trace_by_id(bench, options, server)
    finally:
        server.stop()
    if "decode" in parts: results["decode"] = bench_decode(bench, options)
    return results
