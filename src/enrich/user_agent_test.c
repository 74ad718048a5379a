/* SPDX-License-Identifier: Apache-2.0 */
/* User-Agents by example: what clients of both products expect, servers, bots, and what is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "enrich/user_agent.h"
#include "os/thread.h"

static struct user_agent_parser *parser;

static int set_up_all(void **state)
{
    struct error error;
    return user_agent_parser_create(&parser, &error) == ERROR_NONE ? 0 : -1;
}
static int tear_down_all(void **state)
{
    user_agent_parser_destroy(parser);
    return 0;
}
static int set_up(void **state)
{
    *state = arena_create(0);
    return *state ? 0 : -1;
}
static int tear_down(void **state)
{
    arena_destroy(*state);
    return 0;
}

static struct slice describe(struct arena *arena, struct slice text)
{
    struct user_agent agent;
    user_agent_parse(parser, text, arena, &agent);
    return arena_printf(arena, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", SLICE_ARGS(agent.os), SLICE_ARGS(agent.os_version),
                        SLICE_ARGS(agent.browser), SLICE_ARGS(agent.browser_version), SLICE_ARGS(agent.device),
                        SLICE_ARGS(agent.brand), SLICE_ARGS(agent.model));
}

static void people_are_told_by_system_browser_and_device(void **state)
{
    static const struct { const char *text, *expected; } cases[] = {
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.5 Mobile/15E148 Safari/604.1",
         "iOS|16.5|Mobile Safari|16.5|mobile|Apple|iPhone"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/91.0.4472.124 Safari/537.36",
         "Windows|10|Chrome|91.0.4472.124|desktop||"},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15",
         "macOS|10.15.7|Safari|17.4.1|desktop|Apple|Macintosh"},
        {"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Linux||Firefox|128.0|desktop||"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.87",
         "Windows|10|Edge|126.0.2592.87|desktop||"},
        {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
         "Android|10|Mobile Chrome|126.0.0.0|mobile||"},
        {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
         "Android|10|Chrome|126.0.0.0|tablet||"},
        {"Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36",
         "Android|13|Mobile Chrome|112.0.0.0|mobile|Google|Pixel 7"},
        {"Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/22.0 Chrome/111.0.5563.116 Mobile Safari/537.36",
         "Android|13|Samsung Internet|22.0|mobile|Samsung|SM-S911B"},
        {"Mozilla/5.0 (Linux; Android 12; SM-X906C Build/QP1A.190711.020; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/80.0.3987.119 Mobile Safari/537.36",
         "Android|12|Chrome WebView|80.0.3987.119|tablet|Samsung|SM-X906C"},
        {"Mozilla/5.0 (Linux; Android 11; M2102J20SG) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0.4664.45 Mobile Safari/537.36",
         "Android|11|Mobile Chrome|96.0.4664.45|mobile|Xiaomi|M2102J20SG"},
        {"Mozilla/5.0 (Linux; U; Android 12; en-us; Redmi Note 9 Pro Build/SKQ1.211019.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.3.1-gn",
         "Android|12|MIUI Browser|14.3.1|mobile|Xiaomi|Redmi Note 9 Pro"},
        {"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
         "iOS|16.6|Mobile Safari|16.6|tablet|Apple|iPad"},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1",
         "iOS|17.5|Mobile Chrome|126.0.6478.54|mobile|Apple|iPhone"},
        {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
         "Chrome OS|14541.0.0|Chrome|126.0.0.0|desktop||"},
        {"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/6.0 TV Safari/538.1",
         "Tizen|6.0|Safari|6.0|smarttv|Samsung|SMART-TV"},
        {"Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/606.4 (KHTML, like Gecko) NF/6.0.1.15.4 NintendoBrowser/5.1.0.20393",
         "||||console||"},
        {"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)", "Windows|7|IE|9.0|desktop||"},
        {"MyApp/1 CFNetwork/1410.0.3 Darwin/22.6.0", "iOS||MyApp|1|mobile|Apple|"},
        {"App/1.0 iOS 17.1", "iOS|17.1|||mobile|Apple|"},
        {"Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A.230805.001)", "Android|13|Android Browser|13|mobile|Google|Pixel 7"},
        {"Shop/3.2 (Model=SM-G991B; Manufacturer=Samsung; Android 14)", "Android|14|Android Browser|14|mobile|Samsung|SM-G991B"},
        {"Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10",
         "||Opera Mini|7.1.32052|mobile||"},
        {"Mozilla/5.0 (Linux; arm_64; Android 12; CUBOT X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/102.0.0.0 Mobile Safari/537.36",
         "Android|12|Mobile Chrome|102.0.0.0|mobile|Cubot|X50"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice actual = describe(*state, slice_from_string(cases[i].text));
        struct slice again = describe(*state, slice_from_string(cases[i].text)); /* now from memory */
        if (slice_equal(actual, slice_from_string(cases[i].expected)) && slice_equal(actual, again)) continue;
        wrong++;
        print_message("# %s\n#   is  %.*s\n#   not %s\n", cases[i].text, SLICE_ARGS(actual), cases[i].expected);
    }
    assert_int_equal(wrong, 0);
}

static void servers_are_told_from_devices(void **state)
{
    static const char *const servers[] = {
        "", "node", "curl/8.4.0", "python-requests/2.31.0", "okhttp/4.9", "axios/1.6.0", "Dart/3.2 (dart:io)", "Ruby",
        "PostmanRuntime/7.36.0", "GuzzleHttp/7", "Go-http-client/1.1", "Mozilla/5.0", "Wget/1.21 (linux-gnu)",
        "curl/7.38.0 (x86_64-pc-linux-gnu)", "Apache-HttpClient/4.5.13 (Java/17.0.1)", "Python/3.11 aiohttp/3.8.4",
        "Java/17.0.1", "PHP/8.2", "my-backend", "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    };
    static const char *const devices[] = {
        "MyApp/1 CFNetwork/1410.0.3 Darwin/22.6.0", "App/1.0 iOS 17.1", "Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/91.0.4472.124 Safari/537.36",
    };
    struct user_agent agent;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        user_agent_parse(parser, slice_from_string(servers[i]), *state, &agent);
        struct slice shown = describe(*state, slice_from_string(servers[i]));
        if (!agent.is_server || !slice_equal(shown, SLICE("||||server||")) || agent.bot.class != BOT_NONE)
            fail_msg("%s is %.*s", servers[i], SLICE_ARGS(shown));
    }
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        user_agent_parse(parser, slice_from_string(devices[i]), *state, &agent);
        if (agent.is_server || slice_equal(agent.device, SLICE("server"))) fail_msg("%s", devices[i]);
    }
}

static void bots_get_class_and_name(void **state)
{
    static const struct { const char *text, *class, *name; } cases[] = {
        {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot", "ai_crawler", "GPTBot"},
        {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot", "ai_assistant", "ChatGPT-User"},
        {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "ai_crawler", "ClaudeBot"},
        {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)", "ai_assistant", "Perplexity-User"},
        {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)", "ai_crawler", "PerplexityBot"},
        {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "search_engine", "Googlebot"},
        {"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.6422.175 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "search_engine", "Googlebot"},
        {"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "search_engine", "Bingbot"},
        {"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "social_media", "facebookexternalhit"},
        {"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "social_media", "Slackbot"},
        {"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "seo_tool", "AhrefsBot"},
        {"Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "monitoring", "UptimeRobot"},
        {"kube-probe/1.29", "monitoring", "kube-probe"},
        {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36", "scraper", "Headless Chrome"},
        {"Mozilla/5.0 (compatible; Wonder-Bot/1.0; +https://wonder.example/bot)", "unknown_bot", "Wonder-Bot"},
        {"Mozilla/5.0 (compatible; archive-crawler)", "unknown_bot", "archive-crawler"},
        {"Mozilla/5.0 (Linux; Android 12; CUBOT X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/102.0.0.0 Mobile Safari/537.36", "", ""},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15", "", ""},
        {"Mozilla/5.0 (Linux; Android 13; Mobile) SogouMobileBrowser/6.0 Chrome/90.0 Mobile Safari/537.36", "", ""},
        {"curl/8.4.0", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct user_agent agent;
        user_agent_parse(parser, slice_from_string(cases[i].text), *state, &agent);
        struct slice class = bot_class_name(agent.bot.class);
        if (!slice_equal(class, slice_from_string(cases[i].class)) || !slice_equal(agent.bot.name, slice_from_string(cases[i].name)))
            fail_msg("%s is %.*s %.*s", cases[i].text, SLICE_ARGS(class), SLICE_ARGS(agent.bot.name));
        assert_true((class.size > 0) == slice_equal(agent.device, SLICE("bot")));
    }
}

static void texts_nobody_would_send_do_no_harm(void **state)
{
    char text[3000];
    memset(text, 'a', sizeof text);
    memcpy(text, "Mozilla/5.0 (Linux; Android 13; ", 32);
    struct user_agent agent;
    user_agent_parse(parser, slice_make(text, sizeof text), *state, &agent);
    assert_true(agent.model.size <= USER_AGENT_TEXT_LIMIT_BYTES);
    /* A character cut by the limit, bytes that are no UTF-8, a line break. */
    for (size_t i = 32; i + 1 < sizeof text; i += 2) memcpy(text + i, "\xc3\xa9", 2);
    memcpy(text + 200, " Build/X)", 9);
    user_agent_parse(parser, slice_make(text, 1500), *state, &agent);
    assert_true(slice_is_utf8(agent.model) && slice_is_utf8(agent.browser));
    user_agent_parse(parser, SLICE("\xff\xfe/\xfd (iPhone; \xc3"), *state, &agent);
    assert_true(slice_is_utf8(agent.browser) && slice_is_utf8(agent.model));
    user_agent_parse(parser, SLICE("Mozilla/5.0\r\nX: (iPhone; CPU iPhone OS 16_5 like Mac OS X)"), *state, &agent);
    assert_true(agent.is_server);
}

struct worker {
    struct os_thread thread;
    unsigned seed;
    bool right;
};
static void parse_many(void *context)
{
    struct worker *worker = context;
    struct arena *arena = arena_create(0);
    worker->right = arena != NULL;
    for (unsigned i = 0; i < 4000 && worker->right; i++) {
        unsigned number = (i * 7919 + worker->seed) % 6000; /* more than are remembered */
        char text[256], version[32];
        snprintf(version, sizeof version, "%u.0.%u.1", number % 97 + 30, number);
        snprintf(text, sizeof text, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%s Safari/537.36", version);
        struct user_agent agent;
        arena_reset(arena);
        user_agent_parse(parser, slice_from_string(text), arena, &agent);
        worker->right = slice_equal(agent.browser_version, slice_from_string(version)) && slice_equal(agent.os, SLICE("Windows"));
    }
    arena_destroy(arena);
}

static void threads_share_what_is_remembered(void **state)
{
    struct worker workers[4] = {{.seed = 1}, {.seed = 1}, {.seed = 500}, {.seed = 3000}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(os_thread_start(&workers[i].thread, "parse", parse_many, &workers[i], NULL), ERROR_NONE);
    for (size_t i = 0; i < 4; i++) os_thread_join(&workers[i].thread);
    for (size_t i = 0; i < 4; i++) assert_true(workers[i].right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(people_are_told_by_system_browser_and_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(servers_are_told_from_devices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bots_get_class_and_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_nobody_would_send_do_no_harm, set_up, tear_down),
        cmocka_unit_test(threads_share_what_is_remembered),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
