"""What Jinja itself, set up as transformers does, prints for expressions of chat templates.

    VENV/bin/python scripts/maintain/goldens/jinja.py > test/unit/models/jinja-goldens.json
"""

import json

from jinja2.sandbox import ImmutableSandboxedEnvironment

X, N, D = [" a ", "b "], [1, 2, 3.5], {"k": 1, "a": 2}
TEMPLATES = [
    "{{ x | map('trim') | join(',') }}",
    "{{ x | map('trim') | map('upper') | list }}",
    "{{ [1, 2] | map('string') | join('+') }}",
    "{{ ['ab', 'c'] | map('length') | list }}",
    "{{ [{'n': 'q'}, {'n': 'r'}] | map(attribute='n') | join(' ') }}",
    "{{ ', '.join(x) }}",
    "{{ ', '.join(['a'] + ['b']) }}",
    "{{ '{} and {}'.format('a', 2) }}",
    "{{ '{0}-{1}-{0}'.format('a', 'b') }}",
    "{{ '{name}: {v:.2f} {{x}}'.format(name='z', v=3.14159) }}",
    "{{ '{:>6}|{:<6}|{:^6}'.format('ab', 'cd', 'ef') }}",
    "{{ '{:05d} {:,}'.format(42, 1234567) }}",
    "{{ '%s is %d' | format('a', 3) }}",
    "{{ '%s-%s' % ('a', 'b') }}",
    "{{ 'n=%d' % 3 }}",
    "{{ n | sum }}",
    "{{ [1, 2] | sum(start=10) }}",
    "{{ [{'a': 1}, {'a': 2}] | sum(attribute='a') }}",
    "{{ n | max }} {{ n | min }} {{ ['b', 'a'] | min }}",
    "{{ n | select('gt', 1) | list }} {{ n | reject('equalto', 2) | list }}",
    "{{ ['', 'a', none, 0, 1] | select | list }} {{ [1, 2, 3] | select('odd') | list }}",
    "{{ ['a', 'b', 'c'] | select('in', ['a', 'c']) | join }}",
    "{{ 'abc' | list }} {{ d | list }}",
    "{{ [1, 2, 3] | batch(2) | list }}",
    "{{ 'a b c' | wordcount }}",
    "{{ '<a href=\"x\">' | e }}",
    "{{ 'a.b'.partition('.') | list }} {{ 'a.b.c'.rpartition('.')[0] }} {{ 'ab'.partition('.')[2] }}",
    "{{ 'a b c'.rsplit(' ', 1) }} {{ 'a,b'.rsplit(',') }}",
    "{{ 'abc'.find('c') }} {{ 'abc'.find('z') }} {{ 'aab'.count('a') }} {{ 'abcb'.rfind('b') }}",
    "{{ '12'.isdigit() }} {{ 'a1'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }}",
    "{{ 'AB'.isupper() }} {{ 'ab'.islower() }} {{ 'aB'.swapcase() }} {{ 'AB'.casefold() }}",
    "{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.json'.removesuffix('.json') }}",
    "{{ '7'.zfill(3) }}[{{ 'a'.ljust(3) }}][{{ 'a'.rjust(3, '.') }}]",
    "{{ 'a\\nb'.splitlines() }}",
    "{{ ['a', 'b'].index('b') }} {{ ['a', 'a'].count('a') }}",
    "{% for i in range(3) %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% set ns = namespace(t='') %}{% for w in x %}{% set ns.t = ns.t + w.strip() %}{% endfor %}{{ ns.t }}",
    "{{ 'abc'.upper().lower().title() }} {{ 'a-b'.split('-') | last }}",
]


def main():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    rows = [
        {"template": text, "printed": environment.from_string(text).render(x=X, n=N, d=D)}
        for text in TEMPLATES
    ]
    print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")


main()
