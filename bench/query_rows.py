# SPDX-License-Identifier: Apache-2.0
"""The rows of `bench/run query`, made by the event store itself: statements over numbers(), the same rows for the same seed."""

DAYS = 90
DAY_MS = 86_400_000
LENGTHS = [1, 2, 1, 5, 1, 3, 15, 1, 2, 8, 1, 4, 1, 6, 2, 11]  # events of 16 visits: a block
BLOCK_VISITS, BLOCK_EVENTS = len(LENGTHS), sum(LENGTHS)

# (weight, what) each; what follows a name in the rows below.
PAGES = [(300, '/'), (120, '/pricing'), (110, '/products'), (50, '/cart'), (30, '/checkout'), (34, '/search'), (28, '/account'), (24, '/support')] + \
    [(max(2, 60 // (i + 1)), f'/products/item-{i + 1}') for i in range(40)] + [(max(2, 40 // (i + 1)), f'/blog/post-{i + 1}') for i in range(30)]
NAMES = ['screen_view', 'signup', 'add_to_cart', 'begin_checkout', 'purchase', 'button_click', 'search', 'video_play', 'link_out', 'newsletter']
REFERRERS = [(420, ('', '', '')), (260, ('https://www.google.com/', 'Google', 'search')), (35, ('https://duckduckgo.com/', 'DuckDuckGo', 'search')),
             (30, ('https://www.bing.com/', 'Bing', 'search')), (60, ('https://www.reddit.com/', 'Reddit', 'social')), (45, ('https://news.ycombinator.com/', 'Hacker News', 'social')),
             (28, ('https://chatgpt.com/', 'ChatGPT', 'ai')), (22, ('https://mail.google.com/', 'Gmail', 'email'))]
CAMPAIGNS = [(820, ('', '', '')), (60, ('newsletter', 'email', 'spring-sale')), (80, ('google', 'cpc', 'brand')), (40, ('reddit', 'social', 'launch'))]
COUNTRIES = [(300, ('US', 'en-US', 'America/New_York', 'New York')), (160, ('DE', 'de-DE', 'Europe/Berlin', 'Berlin')), (110, ('GB', 'en-GB', 'Europe/London', 'London')),
             (80, ('FR', 'fr-FR', 'Europe/Paris', 'Paris')), (60, ('NL', 'nl-NL', 'Europe/Amsterdam', 'Amsterdam')), (40, ('SE', 'sv-SE', 'Europe/Stockholm', 'Stockholm')),
             (55, ('JP', 'ja-JP', 'Asia/Tokyo', 'Tokyo')), (70, ('IN', 'en-IN', 'Asia/Kolkata', 'Mumbai')), (50, ('BR', 'pt-BR', 'America/Sao_Paulo', 'São Paulo')), (50, ('CA', 'en-CA', 'America/Toronto', 'Toronto'))]
SYSTEMS = [(330, ('desktop', 'Windows', '11', '1920x1080', 'Chrome', '131')), (120, ('desktop', 'Mac OS', '15.1', '2560x1440', 'Safari', '18.1')), (100, ('desktop', 'Mac OS', '15.1', '2560x1440', 'Chrome', '131')),
           (45, ('desktop', 'Linux', '', '1920x1200', 'Firefox', '132')), (240, ('mobile', 'iOS', '18.1', '390x844', 'Safari', '18.1')), (200, ('mobile', 'Android', '15', '412x915', 'Chrome', '131')),
           (30, ('mobile', 'Android', '14', '412x915', 'Samsung Internet', '27')), (35, ('tablet', 'iPadOS', '18.1', '820x1180', 'Safari', '18.1')), (60, ('desktop', 'Windows', '11', '1920x1080', 'Edge', '131'))]
# Days since a returning device was new, for 64 visits: half of them are of new devices.
LAGS = [0] * 32 + [1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 7, 7, 8, 9, 11, 13, 14, 14, 16, 21, 21, 24, 28, 28, 35, 42, 49, 56, 63, 70, 77]
HOURS = [3, 2, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 12, 13, 14, 14, 13, 12, 12, 13, 13, 11, 8, 4]



def weighted(choices, size=256):
    """[(weight, value)] to a list of `size` values."""
    total, out, acc = sum(w for w, _ in choices), [], 0
    for weight, value in choices:
        acc += weight
        out += [value] * (round(acc / total * size) - len(out))
    return out


def text(values):
    return "[" + ",".join("'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'" for v in values) + "]"


def chosen(values, index, low=True):
    """The element of a constant list at a random number's place."""
    return f"CAST({text(values)}, 'Array({'LowCardinality(String)' if low else 'String'})')[{index}]"


def column(choices, place):
    return weighted([(weight, value[place]) for weight, value in choices])


def tenant_sizes(events, tenants):
    """Events of each tenant, multiples of a block: the first has a fifth, the others fall off like 1/rank."""
    rest = [1 / (rank + 1) for rank in range(1, tenants)]
    shares = [0.2] + [0.8 * w / sum(rest) for w in rest]
    return [max(BLOCK_EVENTS, round(events * share / BLOCK_EVENTS) * BLOCK_EVENTS) for share in shares]


class Rows:
    """One tenant's events as SQL. `number` is the tenant's place, which its ids are made from."""

    def __init__(self, tenant, number, events, end_ms, seed):
        self.tenant, self.number, self.events, self.seed = tenant, number, events, seed
        self.blocks = events // BLOCK_EVENTS
        self.start_ms = end_ms - DAYS * DAY_MS
        # Half of the visits are of devices never seen before, the others of devices of earlier days.
        self.devices_a_day = max(2, events // BLOCK_EVENTS * BLOCK_VISITS // DAYS * 45 // 100)

    def select(self, first_block, blocks, segment):
        """The columns, and the statement that makes the rows of these blocks, which lie one after another in time."""
        salt = self.seed * 1_000_003 + self.number
        visits = [v for v, length in enumerate(LENGTHS) for _ in range(length)]
        steps = [step for length in LENGTHS for step in range(length)]
        lengths = [length for length in LENGTHS for _ in range(length)]
        # The places of a day's visits are hours that follow a curve.
        quantiles = weighted([(weight, hour) for hour, weight in enumerate(HOURS)], 1024)
        number = lambda values, index, kind="UInt8": f"CAST({values}, 'Array({kind})')[{index}]"
        base = {
            "position": f"bitAnd(number, {BLOCK_EVENTS - 1}) + 1",
            "block": f"intDiv(number, {BLOCK_EVENTS})",
            "visit": f"block * {BLOCK_VISITS} + {number(visits, 'position')}",
            "step": number(steps, "position"),
            "length": number(lengths, "position"),
            "day": f"intDiv(block * {DAYS}, {self.blocks})",
            "hv": f"intHash64(bitXor(visit + {self.number * 2**32}, intHash64({salt})))",
            "hw": "intHash64(hv + 1)",
            "hs": "intHash64(hv + 100 + step)",
            "cohort": f"day + 100 - {number(LAGS, 'bitAnd(hv, 63) + 1')}",
            "device_number": f"cohort * 1048576 + bitShiftRight(toUInt64({self.devices_a_day}) * bitShiftRight(bitAnd(hw, 4294967295) * bitShiftRight(hw, 32), 32), 32)",
            "hd": f"intHash64(bitXor(device_number + {self.number * 2**32}, intHash64({salt + 7})))",
            "person": "intDiv(device_number, 2)",
            "at_ms": f"{self.start_ms} + day * {DAY_MS} + {number(quantiles, 'bitAnd(bitShiftRight(hv, 8), 1023) + 1')} * 3600000 + bitShiftRight(hw, 20) % 2880000 "
                     "+ step * (4000 + bitShiftRight(hv, 18) % 45000) + hs % 3900",
            "is_shopper": "length >= 4 AND bitShiftRight(hv, 40) % 8 = 0",
            "kind": "multiIf(step = 0, 1, "
                    "is_shopper AND step = length - 3, 3, "
                    "is_shopper AND step = length - 2 AND bitShiftRight(hv, 44) % 10 < 6, 4, "
                    "is_shopper AND step = length - 1 AND bitShiftRight(hv, 44) % 10 < 4, 5, "
                    "step = 1 AND bitShiftRight(hv, 50) % 24 = 0, 2, "
                    "bitShiftRight(hs, 32) % 5 = 0, 6 + bitShiftRight(hs, 36) % 5, 1)",
            "is_view": "kind = 1",
        }
        entry = lambda values: chosen([""] + values, "if(step = 0, bitAnd(bitShiftRight(hw, 8), 255) + 2, 1)")
        campaign = lambda values: chosen([""] + values, "if(step = 0, bitAnd(bitShiftRight(hw, 16), 255) + 2, 1)")
        place = lambda part: chosen(column(COUNTRIES, part), "bitAnd(bitShiftRight(hd, 8), 255) + 1")
        system = lambda part: chosen(column(SYSTEMS, part), "bitAnd(bitShiftRight(hd, 16), 255) + 1")
        pages = weighted([(weight, path) for weight, path in PAGES], 1024)
        page = "bitAnd(bitShiftRight(hs, 8), 1023) + 1"
        plans = [f"map('plan', '{plan}', 'variant', '{variant}', 'build', '2026.{month}')" for month in (9, 10, 11) for plan in ("free", "pro") for variant in "ab"]
        columns = {
            "tenant_id": f"'{self.tenant}'",
            "id": f"reinterpretAsUUID(bitShiftLeft(toUInt128({0x8000_0000_0000_0000 + salt % 2**20 * 2**40} + number), 64) + {0x01930000_00007000 + self.number})",
            "name": chosen(NAMES, "kind"),
            "created_at": "fromUnixTimestamp64Milli(toInt64(at_ms), 'UTC')",
            "session_id": "lower(concat(hex(hv), substring(hex(hw), 1, 6)))",
            "device_id": "lower(concat(hex(hd), hex(intHash64(hd + 1))))",
            "profile_id": "if(intHash64(person) % 100 < 15, concat('user_', toString(person)), '')",
            "path": chosen(pages, page),
            "title": chosen(["Title of " + path for path in pages], page),
            "origin": f"'https://site-{self.number}.example'",
            "referrer": entry(column(REFERRERS, 0)), "referrer_name": entry(column(REFERRERS, 1)), "referrer_type": entry(column(REFERRERS, 2)),
            "utm_source": campaign(column(CAMPAIGNS, 0)), "utm_medium": campaign(column(CAMPAIGNS, 1)), "utm_campaign": campaign(column(CAMPAIGNS, 2)),
            "country": place(0), "language": place(1), "timezone": place(2), "city": place(3),
            "device": system(0), "os": system(1), "os_version": system(2), "screen_resolution": system(3), "browser": system(4), "browser_version": system(5),
            "page_count": "toUInt16(step + 1)",
            "scroll_depth": "if(is_view, toFloat32(bitShiftRight(hs, 12) % 101), NULL)",
            "load_time": "if(is_view, toInt32(200 + bitShiftRight(hs, 20) % 2000), NULL)",
            "ttfb": "if(is_view, toInt32(20 + bitShiftRight(hs, 28) % 400), NULL)",
            "revenue": "if(kind = 5, toDecimal64((990 + bitShiftRight(hs, 8) % 20000) / 100, 4), NULL)",
            "properties": f"CAST([{', '.join(plans)}, map()], 'Array(Map(LowCardinality(String), LowCardinality(String)))')[if(is_view, {len(plans) + 1}, hd % {len(plans)} + 1)]",
            "ingested_at": "fromUnixTimestamp64Milli(toInt64(intDiv(at_ms, 600) * 600 + 900), 'UTC')",
            "segment": f"toUInt64({segment})",
        }
        with_ = ",\n  ".join(f"{sql} AS {name}" for name, sql in base.items())
        return (list(columns), f"WITH {with_}\nSELECT " + ",\n  ".join(f"{sql} AS `{name}`" for name, sql in columns.items()) +
                f"\nFROM numbers({first_block * BLOCK_EVENTS}, {blocks * BLOCK_EVENTS})")


# Of a visit: the same in all its events; in its first event only.
SESSION_SAME = ["device_id", "country", "region", "city", "os", "os_version", "browser", "browser_version", "device", "brand", "model"]
SESSION_FIRST = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "referrer", "referrer_name", "referrer_type"]
VIEW = "name IN ('screen_view', 'page_view', 'pageview')"


def sessions(tenant, segment):
    """Rows of visits from the events of a segment: what session_sql.c says, of events that all have a page and no group."""
    columns = ", ".join(SESSION_SAME + SESSION_FIRST)
    values = ", ".join([f"toString(any({name}))" for name in SESSION_SAME] + [f"toString(max({name}))" for name in SESSION_FIRST])
    return (f"INSERT INTO analytics.sessions (tenant_id, id, profile_id, created_at, ended_at, duration, is_bounce, entry_origin, entry_path, exit_origin, "
            f"exit_path, screen_view_count, event_count, revenue, {columns}, sign, version, written_at) "
            f"SELECT '{tenant}', session_id, any(profile_id), min(created_at) AS begun, max(created_at) AS ended, "
            f"toUInt32(toUnixTimestamp64Milli(ended) - toUnixTimestamp64Milli(begun)), countIf({VIEW}) <= 1, any(origin), argMin(path, created_at), any(origin), "
            f"argMax(path, created_at), toInt32(countIf({VIEW})), toInt32(countIf(NOT {VIEW})), sum(toDecimal128(ifNull(revenue, 0), 4)), {values}, 1, 1, ended "
            f"FROM analytics.events WHERE tenant_id = '{tenant}' AND segment = {segment} GROUP BY session_id")
