/** Values as Python prints them: each text below is Python's own answer. */
import { describe, expect, it } from "vitest";
import {
  PyNumber,
  PyValueError,
  pyFloat,
  pyJson,
  pyRepr,
  pyStr,
  pyType,
  truthy,
} from "../../../server/http/shape/python.ts";

describe("Python's words", () => {
  it.each([
    [0, "0.0"],
    [-0, "-0.0"],
    [1e16, "1e+16"],
    [1e-5, "1e-05"],
    [0.0001, "0.0001"],
    [123456789012345680, "1.2345678901234568e+17"],
    [-2.25e-7, "-2.25e-07"],
    [1.5, "1.5"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NEGATIVE_INFINITY, "-inf"],
    [Number.NaN, "nan"],
  ])("repr(float) of %d is %s", (value, text) => {
    expect(pyFloat(value)).toBe(text);
  });

  it("repr of texts escapes what is not printable, and chooses its quotes", () => {
    expect(pyRepr("a\u0000b\u2028\u{1F600}\u{E0001}'\"\\")).toBe(
      String.raw`'a\x00b\u2028😀\U000e0001\'"\\'`,
    );
    expect(pyRepr("it's")).toBe('"it\'s"');
    expect(pyRepr("\t\r\n")).toBe(String.raw`'\t\r\n'`);
  });

  it("repr of containers, and of numbers as they were written", () => {
    const odd = [null, true, false, new PyNumber("1.0", true), new PyNumber("-0", false), 2, {}];
    expect(pyRepr({ a: odd, b: new PyValueError("no") })).toBe(
      "{'a': [None, True, False, 1.0, 0, 2, {}], 'b': ValueError('no')}",
    );
    const wide = new PyNumber("123456789012345678901234567890", false);
    expect(pyRepr(wide)).toBe("123456789012345678901234567890");
    // What is shown is cut anyway: a long container is not written to its end.
    for (const long of [
      Array.from({ length: 99_999 }, () => 1),
      { a: Array.from("x".repeat(9999)) },
    ])
      expect(pyRepr(long).length).toBeLessThan(2100);
    expect([pyStr("a'b"), pyStr(null), pyStr([1])]).toEqual(["a'b", "None", "[1]"]);
  });

  it("json.dumps", () => {
    const value = {
      a: [new PyNumber("1", false), new PyNumber("2.0", true), null, true, "é"],
      b: {},
    };
    expect(pyJson(value)).toBe('{"a": [1, 2.0, null, true, "é"], "b": {}}');
    expect(pyJson(1.25)).toBe("1.25");
  });

  it.each([
    [null, "NoneType", false],
    [true, "bool", true],
    ["", "str", false],
    ["0", "str", true],
    [new PyNumber("1.0", true), "float", true],
    [new PyNumber("0", false), "int", false],
    [3, "int", true],
    [0.5, "float", true],
    [Number.NaN, "float", true],
    [[], "list", false],
    [[0], "list", true],
    [{}, "dict", false],
  ])("type and truth of %j", (value, name, truth) => {
    expect([pyType(value), truthy(value)]).toEqual([name, truth]);
  });
});
