# SPDX-License-Identifier: Apache-2.0
"""bench/run query: questions over many tenants' events, and the same as the source documents print it on their own tables. See docs/benchmarks.md."""
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

import query_rows

TENANTS = 50
END_MS = 1_795_219_200_000  # 2026-11-21: the fixed now
CHUNK_BLOCKS = 1_048_576 // query_rows.BLOCK_EVENTS
# One thread makes a chunk from end to end and a part comes out; there are as many at work as processors.
INSERT = {"max_threads": 1, "max_insert_threads": 1, "max_insert_block_size": 2_000_000, "min_insert_block_size_rows": 2_000_000,
          "min_insert_block_size_bytes": 0, "max_memory_usage": 0, "max_execution_time": 0}
SEED = {"max_memory_usage": 0, "max_execution_time": 0, "use_query_condition_cache": 0}
MERGE_SECONDS = 3600
# The documents' tables hold the tenant they are asked about: their order begins with it, so others would cost only time and disk.
SEED_TENANTS = 1
DAYS30, WEEKS12 = 30, 12
LIST_DEPTH = 1000
RARE = ["signup", "add_to_cart", "purchase"]
COMMON = ["screen_view", "add_to_cart", "purchase"]


def date(days_before_end):
    return time.strftime("%Y-%m-%d", time.gmtime(END_MS / 1000 - days_before_end * 86400))


def bytes_below(folder):
    return sum(os.lstat(os.path.join(path, name)).st_blocks * 512 for path, _, names in os.walk(folder) for name in names)


class Place:
    """A server on a folder that stays, with the generated rows in it."""

    def __init__(self, bench, options, folder, memory):
        self.bench, self.options, self.folder = bench, options, folder
        if memory: os.environ["MILLRACE_ENGINE_MEMORY"] = memory
        else: os.environ.pop("MILLRACE_ENGINE_MEMORY", None)

        class Server(bench.Server):
            def prepare(self):
                self.engine_pid = bench.wait_for("the event store's process", self.find_engine)
                self.connection = bench.UnixConnection(os.path.join(self.data, "engine.sock"))

        self.server = Server(options.build, folder)
        self.tenants_path = os.path.join(folder, "tenants.json")
        self.tenants = json.load(open(self.tenants_path)) if os.path.exists(self.tenants_path) else self.make_tenants()
        self.asking = None

    def make_tenants(self):
        self.bench.say(f"making {TENANTS} tenants")
        tenants = []
        for number in range(TENANTS):
            made = subprocess.run([self.server.millrace, "tenant", "create", f"site-{number}", "--data", self.server.data, "--json"],
                                  check=True, capture_output=True, text=True)
            tenants.append(json.loads(made.stdout))
        with open(self.tenants_path, "w") as file:
            json.dump(tenants, file)
        return tenants

    def store(self):
        """A connection of its own to the event store."""
        connection = self.bench.UnixConnection(os.path.join(self.server.data, "engine.sock"))
        connection.timeout = MERGE_SECONDS

        def sql(query, **settings):
            connection.request("POST", "/?" + urllib.parse.urlencode(settings), body=query.encode())
            answer = connection.getresponse()
            data = answer.read().decode()
            if answer.status != 200:
                raise SystemExit(f"the event store says {answer.status}: {data[:800]}\n{query[:300]}")
            return data
        return sql

    def cpu(self):
        return (self.bench.cpu_nanoseconds(self.server.pid) + self.bench.cpu_nanoseconds(self.server.engine_pid)) / 1e9

    def ask(self, tenant, path, body=None, cached=False):
        """One question over HTTP: what it took and the answer. 404 is None: this server has no such route."""
        if self.asking is None:
            self.asking = http.client.HTTPConnection(self.server.url.split("//")[1], timeout=120)
        headers = {"Authorization": "Bearer " + tenant["secret_key"]}
        if not cached: headers["Cache-Control"] = "no-cache"
        if body is not None: headers["Content-Type"] = "application/json"
        started = time.perf_counter()
        self.asking.request("POST" if body is not None else "GET", path, body=json.dumps(body) if body is not None else None, headers=headers)
        answer = self.asking.getresponse()
        data = answer.read()
        seconds = time.perf_counter() - started
        if answer.status in (404, 405): return None
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {data.decode(errors='replace')[:500]}")
        return seconds, json.loads(data)

    def stop(self):
        if self.asking: self.asking.close()
        self.server.stop()


# --- the rows ------------------------------------------------------------------------------------------------------------

def in_parallel(place, jobs):
    """Runs functions of a connection to the event store, as many at once as there are processors."""
    lock, failures = threading.Lock(), []

    def work():
        sql = place.store()
        while True:
            with lock:
                if not jobs or failures: return
                job = jobs.pop(0)
            try:
                job(sql)
            except BaseException as error:  # also SystemExit: it would only end this thread
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(os.cpu_count() or 1)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    if failures: raise failures[0]


def chunk_jobs(place, done):
    """Each: a tenant's next million events, their visits, and the same events in the documents' layouts."""
    jobs, segment = [], 0
    seeds = {"seed_002": place.bench.SEED_002_ROWS, "seed_003": place.bench.SEED_003_ROWS}
    for number, events in enumerate(query_rows.tenant_sizes(place.options.query_events, TENANTS)):
        rows = query_rows.Rows(place.tenants[number]["tenant"], number, events, END_MS, place.options.seed)
        for first in range(0, rows.blocks, CHUNK_BLOCKS):
            segment += 1
            blocks = min(CHUNK_BLOCKS, rows.blocks - first)

            def job(sql, rows=rows, number=number, first=first, blocks=blocks, segment=segment):
                columns, select = rows.select(first, blocks, segment)
                sql(f"INSERT INTO analytics.events ({', '.join(columns)}) {select}", **INSERT)
                sql(query_rows.sessions(rows.tenant, segment), **INSERT)
                for database, statement in seeds.items() if number < SEED_TENANTS else ():
                    statement = statement.replace(f"analytics.bench_{database}", f"{database}.events")
                    sql(f"{statement} WHERE tenant_id = '{rows.tenant}' AND segment = {segment}", **INSERT)
                done(blocks * query_rows.BLOCK_EVENTS)
            jobs.append(job)
    return jobs


def load(place):
    sql, say = place.store(), place.bench.say
    for database, statement in (("seed_002", place.bench.SEED_002), ("seed_003", place.bench.SEED_003)):
        sql(f"DROP DATABASE IF EXISTS {database}")
        sql(f"CREATE DATABASE {database}")
        sql(statement.replace(f"analytics.bench_{database}", f"{database}.events"))
    tables = [tuple(line.split("\t")) for line in sql(
        "SELECT database, name FROM system.tables WHERE database IN ('analytics', 'seed_002', 'seed_003') AND engine LIKE '%MergeTree' FORMAT TSV").splitlines()]
    for database, table in tables:
        if database == "analytics": sql(f"TRUNCATE TABLE {database}.{table}")
        sql(f"SYSTEM STOP MERGES {database}.{table}")  # each row is merged once, at the end
    cpu, started, made, lock = place.cpu(), time.monotonic(), [0], threading.Lock()

    def done(events):
        with lock:
            before, made[0] = made[0], made[0] + events
            if before * 20 // place.options.query_events < made[0] * 20 // place.options.query_events: say(f"{made[0] / 1e6:.1f} M events, {made[0] / (time.monotonic() - started):,.0f} events/s")

    in_parallel(place, chunk_jobs(place, done))
    say(f"inserted: {time.monotonic() - started:.0f} s, {(place.cpu() - cpu) / made[0] * 1e6:.2f} CPU-seconds per million; merging")

    def merging(database, table):
        def job(sql):
            sql(f"SYSTEM START MERGES {database}.{table}")
            sql(f"OPTIMIZE TABLE {database}.{table} FINAL", max_execution_time=0, optimize_skip_merged_partitions=1)
        return job

    heaviest = ["seed_002", "seed_003", "events", "sessions"]
    tables.sort(key=lambda table: min([heaviest.index(word) for word in table if word in heaviest], default=9))
    in_parallel(place, [merging(*table) for table in tables])
    say(f"merged: {time.monotonic() - started:.0f} s in all, {(place.cpu() - cpu) / made[0] * 1e6:.2f} CPU-seconds per million, "
        f"{bytes_below(place.folder) / 2**30:.1f} GiB")
    return {"seconds": time.monotonic() - started, "cpu": place.cpu() - cpu, "events": made[0]}


def check_rows(place, events):
    """All layouts hold the same events, and the rollups what the events say."""
    sql = place.store()
    asked = ", ".join(f"'{tenant['tenant']}'" for tenant in place.tenants[:SEED_TENANTS])
    own, *others = [sql(query, **SEED).strip() for query in (
        f"SELECT count(), uniqExact(device_id), sum(toUnixTimestamp64Milli(created_at)) FROM analytics.events WHERE tenant_id IN ({asked}) FORMAT TSV",
        "SELECT count(), uniqExact(anonymous_id), sum(toUnixTimestamp64Milli(time)) FROM seed_002.events FORMAT TSV",
        "SELECT count(), uniqExact(device_id), sum(toUnixTimestamp64Milli(created_at)) FROM seed_003.events FORMAT TSV")]
    counts = [sql(query).strip() for query in (
        "SELECT count() FROM analytics.events FORMAT TSV", "SELECT sum(screen_view_count + event_count) FROM analytics.sessions FINAL FORMAT TSV",
        "SELECT sum(events) FROM analytics.device_days FORMAT TSV")]
    if any(other != own for other in others) or any(count != str(events) for count in counts):
        raise SystemExit(f"the layouts do not hold the same events: {own} {others} {counts}")


# --- the questions -------------------------------------------------------------------------------------------------------

def overview(days=DAYS30):
    """What the page asks to show a tenant's last days (ui/src/dashboard.ts)."""
    which = f"from={date(days)}&to={date(1)}&timezone=UTC"
    return [f"/v1/query/timeseries?{which}&measures=visitors,page_views,sessions,events&interval=day&compare=previous",
            f"/v1/query/top?{which}&dimension=path&measures=visitors,page_views&limit=8",
            f"/v1/query/top?{which}&dimension=referrer_name&measures=visitors,page_views&limit=8",
            f"/v1/query/top?{which}&dimension=country&measures=visitors,page_views,sessions&limit=20"]


def of_days(column, days):
    return f"{column} >= '{date(days)} 00:00:00' AND {column} < '{date(0)} 00:00:00'"


def seed_overview(tenant):
    """The documents' own words for it: pages (002), events over time and visitors by a property (003)."""
    return [f"SELECT path, count(*) as pageviews, uniq(anonymous_id) as unique_visitors FROM seed_002.events WHERE client_id = '{tenant}' AND event_name = 'screen_view' "
            f"AND {of_days('time', DAYS30)} GROUP BY path ORDER BY pageviews DESC LIMIT 10 FORMAT TSV",
            f"SELECT toStartOfDay(created_at, 'UTC') as date, count(*) as count FROM seed_003.events WHERE project_id = '{tenant}' AND {of_days('created_at', DAYS30)} "
            "GROUP BY date ORDER BY date FORMAT TSV",
            f"SELECT countDistinct(profile_id) as count, country FROM seed_003.events WHERE project_id = '{tenant}' AND name = 'screen_view' AND {of_days('created_at', DAYS30)} "
            "GROUP BY country ORDER BY count DESC LIMIT 10 FORMAT TSV"]


def seed_funnel(tenant, steps):
    """As document 003 prints it, within 30 days, and with what the function takes for a time."""
    return (f"SELECT level, count() FROM (SELECT profile_id, windowFunnel(86400)(toDateTime(created_at), {', '.join(f'name = {chr(39)}{step}{chr(39)}' for step in steps)}) as level "
            f"FROM seed_003.events WHERE project_id = '{tenant}' AND {of_days('created_at', DAYS30)} GROUP BY profile_id) GROUP BY level ORDER BY level FORMAT TSV")


def seed_retention(tenant):
    """As document 003 prints it, within 12 weeks."""
    rows = f"FROM seed_003.events WHERE project_id = '{tenant}' AND {of_days('created_at', 7 * WEEKS12)} GROUP BY profile_id"
    return (f"WITH first_week AS (SELECT profile_id, toStartOfWeek(min(created_at)) as cohort_week {rows}) "
            "SELECT cohort_week, count(DISTINCT profile_id) as users, countIf(last_seen >= cohort_week + INTERVAL 1 WEEK) as retained_week_1 "
            f"FROM first_week LEFT JOIN (SELECT profile_id, max(created_at) as last_seen {rows}) USING profile_id GROUP BY cohort_week ORDER BY cohort_week FORMAT TSV")


PERSON = "if(profile_hash != 0, profile_hash, device_hash)"


def bare_funnel(tenant, steps):
    """What the fast form costs without a route around it."""
    quoted = [f"'{step}'" for step in steps]
    return (f"SELECT level, count() FROM (SELECT {PERSON} AS person, windowFunnel(86400000)(toUInt64(toUnixTimestamp64Milli(created_at)), "
            f"{', '.join('name = ' + step for step in quoted)}) AS level FROM analytics.events WHERE tenant_id = '{tenant}' AND {of_days('created_at', DAYS30)} "
            f"AND name IN ({', '.join(quoted)}) GROUP BY person) GROUP BY level ORDER BY level FORMAT TSV")


def bare_retention(tenant):
    first = date(7 * WEEKS12)
    return ("SELECT first, count(), sumForEach(arrayMap(k -> bitAnd(bitShiftRight(mask, k), 1), range(12))) FROM (SELECT mask, arrayMin(bitPositionsToArray(mask)) AS first FROM "
            f"(SELECT groupBitOr(bitShiftLeft(toUInt16(1), intDiv(toUInt32(date) - toUInt32(toDate('{first}')), 7))) AS mask FROM analytics.device_days "
            f"WHERE tenant_id = '{tenant}' AND date >= '{first}' AND date < '{date(0)}' AND events > boundaries GROUP BY {PERSON})) GROUP BY first ORDER BY first FORMAT TSV")


def funnel_body(steps):
    return {"from": date(DAYS30), "to": date(1), "steps": steps, "window": 86400}


def measured(place, work):
    """Wall and CPU seconds of all processes, and the event store's largest resident size meanwhile, in MiB."""
    with open(f"/proc/{place.server.engine_pid}/clear_refs", "w") as file:
        file.write("5")
    cpu, started = place.cpu(), time.perf_counter()
    work()
    wall, cpu = time.perf_counter() - started, place.cpu() - cpu
    with open(f"/proc/{place.server.engine_pid}/status") as file:
        peak = next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    return {"wall": wall, "cpu": cpu, "peak": peak}


def list_pages(place, tenant, depth, found={}):
    """The addresses of page 1 and of the page at `depth`; walked to once."""
    if found: return found["first"], found["deep"]
    path = f"/v1/query/events?from={date(DAYS30)}&to={date(1)}&limit=50"
    first = deep = path
    for page in range(depth - 1):
        answer = place.ask(tenant, deep)
        if answer is None: return None
        cursor = answer[1].get("next_cursor")
        if not cursor: raise SystemExit(f"the list of events ends at page {page + 1}")
        deep = path + "&cursor=" + urllib.parse.quote(cursor)
    found.update(first=first, deep=deep)
    return first, deep


def questions(place):
    """name -> function; those of one group are compared."""
    tenant, store = place.tenants[0], place.store()
    ours, theirs = {}, {}
    own_id = tenant["tenant"]

    def over_http(path, body=None, **flags):
        return lambda: place.ask(tenant, path, body, **flags)

    for steps, name in ((RARE, "named events"), (COMMON, "first step a page view")):
        theirs[f"funnel, {name}: document 003"] = lambda steps=steps: store(seed_funnel(own_id, steps), **SEED)
        ours[f"funnel, {name}: fast form in the event store"] = lambda steps=steps: store(bare_funnel(own_id, steps), **SEED)
        if place.ask(tenant, "/v1/query/funnel", funnel_body(steps)):
            ours[f"funnel, {name}: POST /v1/query/funnel"] = over_http("/v1/query/funnel", funnel_body(steps))
    theirs["retention: document 003"] = lambda: store(seed_retention(own_id), **SEED)
    ours["retention: fast form in the event store"] = lambda: store(bare_retention(own_id), **SEED)
    retention = ("/v1/query/retention", {"from": date(7 * WEEKS12), "to": date(1), "interval": "week"})
    if place.ask(tenant, *retention): ours["retention: POST /v1/query/retention"] = over_http(*retention)
    pages = list_pages(place, tenant, place.options.query_depth)
    if pages:
        ours["events, page 1"] = over_http(pages[0])
        ours[f"events, page {place.options.query_depth:,}"] = over_http(pages[1])
    for number, path in enumerate(overview()):
        ours[f"overview {number + 1} of {len(overview())}: {path.split('?')[0].split('/')[-1]}"] = over_http(path)
    for number, statement in enumerate(seed_overview(own_id)):
        theirs[f"overview {number + 1} of 3: documents"] = lambda statement=statement: store(statement, **SEED)
    return {**theirs, **ours}


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def overview_round(place):
    """Every tenant's page: cold, then again. Latencies in ms."""
    cold, warm = [], []
    for tenant in place.tenants:
        for path in overview():
            cold.append(place.ask(tenant, path)[0] * 1000)
            place.ask(tenant, path, cached=True)
            warm += [place.ask(tenant, path, cached=True)[0] * 1000 for _ in range(3)]
    return {"cold": cold, "warm": warm}


def run_rounds(place):
    asked = questions(place)
    results = {name: [] for name in asked}
    pages, rows = [], int(place.store()(f"SELECT count() FROM analytics.events WHERE tenant_id = '{place.tenants[0]['tenant']}' AND {of_days('created_at', DAYS30)} FORMAT TSV"))
    for number in range(place.options.rounds + 1):  # the first does not count
        for name, work in asked.items():
            figure = measured(place, work)
            if number: results[name].append(figure)
        page = overview_round(place)
        if number: pages.append(page)
        place.bench.say(f"round {number} of {place.options.rounds}, load average {os.getloadavg()[0]:.1f}")
    return results, pages, rows


def ratio(place, results, name, other):
    """Round by round: neighbours in time have the same neighbours on the machine."""
    return place.bench.spread([theirs["cpu"] / ours["cpu"] for ours, theirs in zip(results[name], results[other])], 1)


def report(place, results, pages, rows, default_memory):
    spread = place.bench.spread
    print(f"\n## query: {place.options.query_events:,} events in {TENANTS} tenants over {query_rows.DAYS} days; the largest has {rows:,} in {DAYS30} days\n")
    print(f"Medians (least-most) of {place.options.rounds} rounds. CPU: server and event store together. Nothing from the result cache, unless it says so.\n")
    table = []
    for name, figures in results.items():
        column = lambda key, scale=1: spread([figure[key] * scale for figure in figures], 1)
        baseline = next((other for other in results if "document" in other and other.split(":")[0] == name.split(":")[0] and other != name), None)
        speed = f"{rows / statistics.median(figure['cpu'] for figure in figures) / 1e6:.1f}" if name.startswith("funnel") else "-"
        table.append([name, column("wall", 1000), column("cpu", 1000), ratio(place, results, name, baseline) if baseline and "overview" not in name else "-", speed,
                      f"{max(figure['peak'] for figure in figures):.0f}", default_memory.get(name, "-")])
    place.bench.print_table(["question, largest tenant", "wall ms", "CPU ms", "document's CPU / ours", "M rows per core-second", "event store's peak RSS, MiB",
                             "with engine.memory as it comes"], table)
    table = []
    for kind in ("cold", "warm"):
        table.append([f"overview page, a query of any tenant, {'computed' if kind == 'cold' else 'asked again'}",
                      spread([percentile(page[kind], 0.5) for page in pages], 1), spread([percentile(page[kind], 0.99) for page in pages], 1),
                      spread([max(page[kind]) for page in pages], 1)])
    place.bench.print_table([f"all {TENANTS} tenants, ms", "p50", "p99", "most"], table)


def under_default_memory(place):
    """Each of our questions once, with the memory the event store has when nobody sets anything."""
    told = {}
    for name, work in questions(place).items():
        if "document" in name: continue
        try:
            told[name] = f"{measured(place, work)['peak']:.0f} MiB"
        except SystemExit as failure:
            told[name] = "refused: " + str(failure)[:60]
    return told


def bench_query(bench, options, folder):
    place_folder = os.path.abspath(options.data or folder)
    os.makedirs(place_folder, exist_ok=True)
    marker = os.path.join(place_folder, "complete.json")
    wanted = {"events": options.query_events, "seed": options.seed, "end_ms": END_MS, "tenants": TENANTS}
    is_there = os.path.exists(marker) and json.load(open(marker))["wanted"] == wanted
    place = Place(bench, options, place_folder, "4GiB")  # the documents' own statements need more than is set by default
    loaded = None
    try:
        if not is_there:
            loaded = load(place)
            check_rows(place, loaded["events"])
            with open(marker, "w") as file:
                json.dump({"wanted": wanted, "loaded": loaded}, file)
        results, pages, rows = run_rounds(place)
    finally:
        place.stop()
    place = Place(bench, options, place_folder, None)
    try:
        default_memory = under_default_memory(place)
    finally:
        place.stop()
    report(place, results, pages, rows, default_memory)
    return {"loaded": loaded, "results": results, "pages": pages, "rows": rows}
