/** Answers that JavaScript's own JSON would write otherwise than Python does. */
import { expect, it } from "vitest";
import { float, pythonJson } from "../../../server/http/python-json.ts";
import { promptLogprobs, TokenNames } from "../../../server/openai/logprobs.ts";

it("has floats that are whole, and texts that look like them", () => {
  const values = [1, 0, -0, -2, 0.5].map(float);
  expect(pythonJson({ values, n: 1, text: "1.0" })).toBe(
    '{"values":[1.0,0.0,-0.0,-2.0,0.5],"n":1,"text":"1.0"}',
  );
});

it("has the prompt's own token before the likeliest ones, whatever their ids", () => {
  const position = { chosen: -3, rank: 9, topIds: [7, 5, 3], topLogprobs: [-1, -2, -2.5] };
  const told = promptLogprobs(Int32Array.of(1, 5), [position], new TokenNames(undefined, false));
  const names = [...pythonJson(told).matchAll(/"(\d+)":\{/g)].map(([, name]) => name);
  expect(names).toEqual(["5", "7", "3"]);
});
