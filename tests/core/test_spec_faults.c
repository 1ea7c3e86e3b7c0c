/* What is wrong with sweep files, as users read it: the file, then every line of the messages. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "core/spec.h"
#include "core/yaml.h"
#include "tests/core/suite.h"

#define X "parameters: {x: {min: 0, max: 9}}\n"

static const struct {
    const char *yaml, *messages; /* without the file's name and "error: " */
} cases[] = {
    /* Gangs. */
    {"context: distributed\n",
     "1:1: context distributed needs to know on how many workers: distributed: {workers: 2}\n"},
    {X "distributed: {workers: 2}\nworkers_per_trial: 2\n",
     "3:1: 'distributed' has 'workers' already: give one of them\n"},
    {X "workers_per_trial: 0\n", "2:20: 'workers_per_trial' must be at least 1, not 0\n"},
    {X "distributed: {workers: 2000}\n", "2:24: 'workers' must be at most 1024, not 2000\n"},
    {X "distributed: {workers: 2, runtime: tensorflwo}\n",
     "2:36: 'runtime' must be one of env, tensorflow, mpi, not tensorflwo; did you mean 'tensorflow'?\n"},
    {X "distributed: {workers: 4, parameter_servers: 1}\n",
     "2:27: 'parameter_servers' is for runtime tensorflow\n"},
    {X "distributed: {workers: 2, runtime: tensorflow, parameter_servers: 1}\n",
     "2:67: of 2 workers at most 0 can be parameter servers: one is the chief and one works\n"},
    {X "distributed: {workers: 2, parameters: {x: 3}}\n",
     "2:27: 'parameters' in 'distributed' is for context distributed only\n"},
    {X "workers_per_trial: 4\nworkers: 2\n",
     "3:10: a trial needs 4 workers at once, and 'workers' are 2: no trial could start\n"},
    {X "train: {command: [a]}\ndistributed: {workers: 2, runtime: mpi}\n",
     "3:36: runtime mpi is for functions (train: {library: ..., function: ...}); a command that uses MPI by "
     "itself starts its ranks itself: command: [mpirun, -n, \"4\", ./program]\n"},
    /* Keys. */
    {"", "1:1: 'parameters' is missing: there is nothing to search\n"},
    {"# nothing\n", "1:1: 'parameters' is missing: there is nothing to search\n"},
    {"- a\n", "1:1: a sweep file must be a map of keys and values\n"},
    {"digits\n", "1:1: a sweep file must be a map of keys and values\n"},
    {X "paramters: {}\n", "2:1: unknown key 'paramters'; did you mean 'parameters'?\n"},
    {X "limit: {trails: 5}\n", "2:1: unknown key 'limit'; did you mean 'limits'?\n"},
    {X "limits: {trails: 5}\n", "2:10: unknown key 'trails' in limits; did you mean 'trials'?\n"},
    {X "train: {comand: [a]}\n", "2:1: 'train' needs a command, or a library and a function\n"
                                 "2:9: unknown key 'comand' in train; did you mean 'command'?\n"},
    {X "metric: {naem: a}\n", "2:10: unknown key 'naem' in metric; did you mean 'name'?\n"},
    {"parameters: {x: {mni: 0, max: 9}}\n",
     "1:14: 'x' of type int needs 'min'\n"
     "1:18: unknown key 'mni' in parameter 'x'; did you mean 'min'?\n"},
    {X "zzz: 1\n\"y\": 2\n", "2:1: unknown key 'zzz'\n3:1: unknown key 'y'\n"},
    {X "ablations: {}\n", "2:1: unknown key 'ablations'; did you mean 'ablation'?\n"},
    {X "distibuted: {}\n", "2:1: unknown key 'distibuted'; did you mean 'distributed'?\n"},
    {X "workers: 2\nworkers: 3\n", "3:1: key 'workers' is there twice; first at line 2\n"},
    {X "limits: {trials: 1, hours: 1, trials: 2, trials: 3}\n",
     "2:31: key 'trials' is there twice; first at line 2\n2:42: key 'trials' is there twice; first at line 2\n"},
    {"parameters:\n  x: {value: 1}\n  x: {value: 2}\n", "3:3: key 'x' is there twice; first at line 2\n"},
    {X "workers:\n", "2:1: 'workers' has no value\n"},
    {X "limits:\n  trials:\n  hours: 1\n", "3:3: 'trials' has no value\n"},
    {X "limits: [1]\n", "2:9: limits must be a map of keys and values\n"},
    {"parameters: 3\n", "1:13: 'parameters' must be a map, e.g. lr: {min: 0.1, max: 1}\n"},
    {"parameters: {}\n", "1:13: no parameters: there is nothing to search\n"},
    {X "[a, b]: 1\n", "2:1: a key must be a word\n"},
    {X "? \n: 1\n", "1:1: a key must be a word\n"},

    /* Plain values. */
    {X "name: a b\n", "2:7: 'name' must be made of letters, digits, '_', '.' and '-', at most 128 of them\n"},
    {X "workers: 0\n", "2:10: 'workers' must be at least 1, not 0\n"},
    {X "workers: 2.5\n", "2:10: 'workers' must be a whole number, not 2.5\n"},
    {X "workers: two\n", "2:10: 'workers' must be a whole number, not two\n"},
    {X "workers: \"2\"\n",
     "2:10: 'workers' must be a whole number, not the text '2'; write it without quotes\n"},
    {X "workers: [2]\n", "2:10: 'workers' must be a whole number, not a list\n"},
    {X "retries: 9007199254740993\n", "2:10: 'retries' must be within +-2^53, not 9007199254740993\n"},
    {X "limits: {hours: .nan, target: .inf, trials: -1, failures: 1e400}\n",
     "2:17: 'hours' must be a number, not .nan\n2:31: 'target' must be a number, not .inf\n"
     "2:45: 'trials' must be at least 0, not -1\n2:59: 'failures' must be a whole number, not 1e400\n"},
    {X "seed: -1\n", "2:7: 'seed' must be a whole number from 0 to 2^64 - 1\n"},
    {X "seed: 18446744073709551616\n", "2:7: 'seed' must be a whole number from 0 to 2^64 - 1\n"},
    {X "seed: {a: 1}\n", "2:7: 'seed' must be a whole number from 0 to 2^64 - 1\n"},

    /* Metric. */
    {X "metric: {name: a b}\n",
     "2:16: the metric's name must be a word without blanks and '=', at most 128 bytes, and not 'step'\n"},
    {X "metric: {goal: maximise}\n",
     "2:16: 'goal' must be one of minimize, maximize, not maximise; did you mean "
     "'maximize'?\n"},
    {X "metric: {value: mean}\n", "2:17: 'value' must be one of final, last, best, not mean\n"},
    {X "metric: {pattern: 'a('}\n",
     "2:19: the pattern is no extended regular expression: Unmatched ( or \\(\n"},
    {X "metric: {pattern: 'a=.*'}\n", "2:19: the pattern needs a group, (...), around the value\n"},
    {X "metric: {pattern: '(((a{100}){100}){100})'}\n", "2:19: the pattern is too large\n"},

    /* Train. */
    {X "train: {command: [a], library: b, function: c}\n",
     "2:23: 'train' has a command and a library: it takes one of them\n"},
    {X "train: {command: [a], function: c}\n",
     "2:23: 'train' has a command and a function: it takes one of them\n"},
    {X "train: {library: b}\n", "2:9: 'library' needs the 'function' in it\n"},
    {X "train: {function: b}\n", "2:9: 'function' needs the 'library' that it is in\n"},
    {X "train: {command: []}\n", "2:18: the command is empty\n"},
    {X "train: {command: ['']}\n", "2:19: the command is empty\n"},
    {X "train: {command: '  '}\n", "2:18: the command is empty\n"},
    {X "train: {command: [a, [b], {c: d}, null]}\n",
     "2:22: an argument of the command must be a text\n2:27: an argument of the command must be a text\n"
     "2:35: an argument of the command must be a text\n"},
    {X "train: {command: {a: b}}\n",
     "2:18: 'command' must be a list of arguments, or a text for the shell\n"},
    {X "train: {directory: x}\n", "2:1: 'train' needs a command, or a library and a function\n"},
    {X "train: ./run\n", "2:8: train must be a map of keys and values\n"},
    {X "train: {command: [a, \"--x=${x}\", '--y=${y}', '${x']}\n",
     "2:39: ${y} is not a parameter; for a variable of the shell write $${y}\n2:47: '${' without '}'\n"},
    {X "train:\n  command: echo ${x} ${HOME} ${}\n",
     "3:22: ${HOME} is not a parameter; for a variable of the shell write $${HOME}\n"
     "3:30: ${} is not a parameter; for a variable of the shell write $${}\n"},
    {X "train: {command: a, grace_s: -1, kind: other}\n",
     "2:30: 'grace_s' must be at least 0, not -1\n2:34: 'kind' is not for a command\n"
     "2:40: 'kind' must be function or none\n"},

    /* Parameters. */
    {"parameters: {x: 3}\n",
     "1:17: 'x' must be a map, e.g. {min: 0.1, max: 1}, {values: [a, b]} or {value: 1}\n"},
    {"parameters: {x: {}}\n", "1:14: 'x' needs min and max, or values, or a value\n"},
    {"parameters: {x: {scale: log}}\n", "1:14: 'x' needs min and max, or values, or a value\n"},
    {"parameters: {x: {min: 10, max: 1}}\n", "1:32: max (1) is below min (10) for 'x'\n"},
    {"parameters: {x: {min: 0, max: 1.0, scale: log}}\n",
     "1:23: min (0) of 'x' must be above 0 on a log scale\n"},
    {"parameters: {x: {min: 0, max: 10, step: 3}}\n",
     "1:41: step (3) does not divide the range 0 to 10 of 'x'\n"},
    {"parameters: {x: {min: 0, max: 10, step: 0}}\n", "1:41: step (0) of 'x' must be above 0\n"},
    {"parameters: {x: {min: 0, max: 10, default: 11}}\n", "1:44: default 11 is outside 0 to 10 for 'x'\n"},
    {"parameters: {x: {min: 0, max: 10, default: [1]}}\n",
     "1:44: the default of 'x' must be one of its values\n"},
    {"parameters: {x: {values: [sgd, adam], default: sgdd}}\n",
     "1:48: default 'sgdd' is no value of 'x'; did you mean 'sgd'?\n"},
    {"parameters: {x: {type: int, min: 0.5, max: 2}}\n", "1:34: min (0.5) of 'x' is not a whole number\n"},
    {"parameters: {x: {type: real, min: 0, max: 2}}\n",
     "1:24: 'type' must be one of double, int, discrete, categorical, constant, not real\n"},
    {"parameters: {x: {min: 0, max: 2, scale: lgo}}\n",
     "1:41: 'scale' must be one of linear, log, not lgo; did you mean 'log'?\n"},
    {"parameters: {x: {min: a, max: 2}}\n", "1:23: 'min' must be a number, not a\n"},
    {"parameters: {x: {min: 0, max: 9007199254740993}}\n",
     "1:31: 'max' must be within +-2^53, not 9007199254740993\n"},
    {"parameters: {x: {values: []}}\n", "1:26: 'x' has no values\n"},
    {"parameters: {x: {values: 3}}\n", "1:26: 'values' of 'x' must be a list\n"},
    {"parameters: {x: {values: [a, b, a]}}\n", "1:33: value 'a' of 'x' is there twice\n"},
    {"parameters: {x: {values: [2, 1, 2.0]}}\n", "1:33: value 2 of 'x' is there twice\n"},
    {"parameters: {x: {values: [1, '1']}}\n", "1:30: value '1' of 'x' is there twice\n"},
    {"parameters: {x: {type: discrete, values: [1, a, b]}}\n",
     "1:46: value 'a' of discrete 'x' is not a number\n1:49: value 'b' of discrete 'x' is not a number\n"},
    {"parameters: {x: {values: [a, [b], null, ]}}\n",
     "1:30: a value of 'x' must be a number, a text, true or false\n"
     "1:35: a value of 'x' must be a number, a text, true or false\n"},
    {"parameters: {x: {values: [1, .inf]}}\n", "1:30: a value of 'x' is not a finite number\n"},
    {"parameters: {x: {value: 9007199254740993}}\n", "1:25: a value of 'x' is beyond 2^53\n"},
    {"parameters: {x: {value: 1, min: 0, default: 1}}\n",
     "1:28: 'min' has no meaning for constant 'x'\n1:36: 'default' has no meaning for constant 'x'\n"},
    {"parameters: {x: {values: [a, b], step: 2, scale: log}}\n",
     "1:34: 'step' has no meaning for categorical 'x'\n1:43: 'scale' has no meaning for categorical 'x'\n"},
    {"parameters: {x: {min: 0, max: 1, values: [1]}}\n",
     "1:18: 'min' has no meaning for discrete 'x'\n1:26: 'max' has no meaning for discrete 'x'\n"},
    {"parameters: {2x: {value: 1}}\n",
     "1:14: '2x' is no name for a parameter: letters, digits, '_', '.' and '-', a letter "
     "or '_' first, at most 128\n"},

    /* Conditions. */
    {"parameters: {x: {value: 1, when: {slover: 1}}, solver: {values: [a]}}\n",
     "1:35: unknown parameter 'slover' in 'when' of 'x'; did you mean 'solver'?\n"},
    {"parameters: {x: {value: 1, when: {s: [a, c, d]}}, s: {values: [a, b]}}\n",
     "1:42: 'c' is no value of 's'\n1:45: 'd' is no value of 's'\n"},
    {"parameters: {x: {value: 1, when: {n: 0}}, n: {min: 1, max: 3}}\n",
     "1:38: 0 is outside 1 to 3 for 'n'\n"},
    {"parameters: {x: {value: 1, when: {lr: 0.1}}, lr: {min: 0.0, max: 1.0}}\n",
     "1:35: 'lr' is continuous: a condition needs a parameter with values or a step\n"},
    {"parameters: {x: {value: 1, when: {s: []}}, s: {values: [a]}}\n",
     "1:38: a condition on 's' needs its values\n"},
    {"parameters: {x: {value: 1, when: s}, s: {values: [a]}}\n",
     "1:34: 'when' must be a map, e.g. {solver: [sgd]}\n"},
    {"parameters: {x: {values: [1], when: {x: 1}}}\n",
     "1:38: 'x' cannot depend on 'x', which depends on it\n"},
    {"parameters:\n  a: {values: [1], when: {b: 1}}\n  b: {values: [1], when: {c: 1}}\n  c: {values: [1], when: {a: 1}}\n",
     "4:27: 'c' cannot depend on 'a', which depends on it\n"},
    {"parameters:\n  a: {min: 2, max: 1}\n  b: {values: [1], when: {a: 7, x: 1}}\n",
     "2:20: max (1) is below min (2) for 'a'\n3:33: unknown parameter 'x' in 'when' of 'b'\n"},
    {"parameters:\n  a: {values: [1]}\n  b: {min: 2, max: 1, when: {a: 7}}\n",
     "3:20: max (1) is below min (2) for 'b'\n3:33: '7' is no value of 'a'\n"},

    /* Plug-ins. */
    {X "search: {nam: tpe}\n", "2:1: 'search' needs a name\n"},
    {X "search: {name: [tpe]}\n", "2:16: 'search' needs a name\n"},
    {X "search: [tpe]\n", "2:9: 'search' must be a name, or a map with one\n"},
    {X "search: {name: tpe, gamma: , x: {y: }}\n", "2:21: 'gamma' has no value\n2:34: 'y' has no value\n"},
    {X "search: {name: grid, a.b: 1, a: {b: 2}}\n", "2:34: 'a.b' is there twice\n"},
    {"context: elsewhere\nelsewhere: [x]\n", "2:12: 'elsewhere' must be a map of settings\n"},

    /* YAML. */
    {X "limits: {trials: 5\n", "3:1: missing comma in flow mapping\n"},
    {X "name: \"x\n", "2:8: double-quoted scalar without closing quote\n"},
    {X "a: b: c\n", "2:5: invalid nested block mapping on the same line\n"},
    {X "\tname: x\n", "2:1: tab character may not be used as indentation\n"},
    {X "---\n" X, "2:1: a second document: one file is one sweep\n"},
    {X "workers: *w\n", "2:11: this alias (*) stands for nothing: no anchor (&) of that name is before it\n"},
    {X "a: &a [*a]\n", "2:9: this alias (*) stands for something that contains it\n"},
    {X "workers: !!int 3\n", "2:10: tags (!) have no meaning here\n"},
    {X "name: \"a\\0b\"\n", "2:7: a text may not contain a NUL character\n"},
    {X "\xc3\xa9: \xff\n", "2:4: byte 0xff is not UTF-8\n"},
    {X "name: \x01\n", "2:7: byte 0x01 may not stand in a text\n"},
    {X "# \xed\xa0\x80\n", "2:3: byte 0xed is not UTF-8\n"},
    {"parameters: {\"\xc3\xa9\": {value: 1}, x: 3}\n",
     "1:14: '\xc3\xa9' is no name for a parameter: letters, digits, '_', '.' and '-', a letter or '_' first, at most 128\n"
     "1:34: 'x' must be a map, e.g. {min: 0.1, max: 1}, {values: [a, b]} or {value: 1}\n"},
};

static struct faults faults;

static void tear_down(void)
{
    faults_fini(&faults);
}

/* "f:1:2: error: text" becomes "1:2: text". */
static char *messages_of(const char *yaml, size_t size)
{
    struct text text = {0}, shown = {0};
    struct spec *spec = NULL;
    ck_assert_int_eq(spec_parse(&spec, yaml, size, "f", NULL, 0, &faults), ERR_INVALID);
    ck_assert_ptr_null(spec);
    faults_write(&text, &faults, "f");
    for (const char *at = text_get(&text); *at; at = strchr(at, '\n') + 1) {
        const char *error = strstr(at, " error: ");
        text_append_bytes(&shown, at + 2, (size_t)(error - at) - 2);
        text_append_bytes(&shown, error + 7, (size_t)(strchr(at, '\n') - error) - 6);
    }
    text_fini(&text);
    return text_take(&shown);
}

START_TEST(every_fault_is_named_at_its_place)
{
    char *messages = messages_of(cases[_i].yaml, strlen(cases[_i].yaml));
    ck_assert_str_eq(messages, cases[_i].messages);
    free(messages);
}
END_TEST

START_TEST(a_bomb_of_aliases_goes_out)
{
    struct text yaml = {0};
    text_append(&yaml, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++) {
        text_printf(&yaml, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            text_printf(&yaml, "*a%d, ", i - 1);
        text_append(&yaml, "]\n");
    }
    char *messages = messages_of(text_get(&yaml), yaml.size);
    ck_assert_ptr_nonnull(strstr(messages, "too many values in one file"));
    free(messages);
    text_fini(&yaml);
}
END_TEST

/* Nested lists, maps and anchors far beyond any stack. */
START_TEST(deep_nesting_is_refused)
{
    static const char *const pieces[] = {"[", "{a: ", "- ", "? ", "&a [", "[[{"};
    struct text yaml = {0};
    for (int i = 0; i < 50000; i++)
        text_append(&yaml, pieces[_i]);
    char *messages = messages_of(text_get(&yaml), yaml.size);
    ck_assert_uint_gt(strlen(messages), 0);
    ck_assert_uint_le(faults.n, 2);
    free(messages);
    text_fini(&yaml);
}
END_TEST

START_TEST(a_text_beyond_all_bounds_is_refused)
{
    size_t size = YAML_MAX_SIZE + 1;
    char *yaml = malloc(size);
    memset(yaml, 'x', size);
    char *messages = messages_of(yaml, size);
    ck_assert_ptr_nonnull(strstr(faults.list[0].text, "larger than 16 MiB"));
    free(messages);
    free(yaml);
}
END_TEST

START_TEST(too_many_parameters_or_values_are_refused)
{
    struct text yaml = {0};
    text_append(&yaml, "parameters:\n  x: {values: [0");
    for (int i = 1; i < 5000; i++)
        text_printf(&yaml, ",%d", i);
    text_append(&yaml, "]}\n");
    char *messages = messages_of(text_get(&yaml), yaml.size);
    ck_assert_str_eq(messages, "2:15: more than 4096 values\n");
    free(messages);
    faults_fini(&faults);
    text_clear(&yaml);
    text_append(&yaml, "parameters:\n");
    for (int i = 0; i < 5000; i++)
        text_printf(&yaml, "  x%d: {value: 1}\n", i);
    messages = messages_of(text_get(&yaml), yaml.size);
    ck_assert_str_eq(messages, "2:3: more than 4096 parameters\n");
    free(messages);
    text_fini(&yaml);
}
END_TEST

START_TEST(nothing_is_printed)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    int saved[] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    char *messages = messages_of("a: [\n", 5);
    fflush(NULL);
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    close(ends[1]);
    char byte;
    ck_assert_int_eq((int)read(ends[0], &byte, 1), 0);
    ck_assert_uint_gt(strlen(messages), 0);
    free(messages);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("spec faults");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_loop_test(tests, every_fault_is_named_at_its_place, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, a_bomb_of_aliases_goes_out);
    tcase_add_loop_test(tests, deep_nesting_is_refused, 0, 6);
    tcase_add_test(tests, a_text_beyond_all_bounds_is_refused);
    tcase_add_test(tests, too_many_parameters_or_values_are_refused);
    tcase_add_test(tests, nothing_is_printed);
    return run_case(tests);
}
