/** Endless work of one client and small work of another, on the threads they share. */
import { afterEach, expect, it } from "vitest";
import { RequestTemplates } from "../../server/generation/request-template.ts";

let templates: RequestTemplates;
afterEach(() => templates.close());

const input = { messages: [{ role: "user", content: "hello" }] };
const LOOP = "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}";
const SMALL = "{{ messages[0].content }}, small";

it.each([
  ["the same", () => LOOP],
  ["different ones", (i: number) => `${i}${LOOP}`],
  [
    "nested ones",
    (i: number) => `${i}${"{% for i in range(99999) %}".repeat(4)}${"{% endfor %}".repeat(4)}`,
  ],
])("twenty endless templates, %s, do not hold up another client's", async (_, make) => {
  templates = new RequestTemplates({});
  expect(await templates.render(SMALL, input)).toBe("hello, small");
  const refused: string[] = [];
  const endless = Array.from({ length: 20 }, (_, i) =>
    templates.render(make(i), input).then(
      () => {
        throw new Error("It ended.");
      },
      (error: Error) => refused.push(error.message),
    ),
  );
  for (let i = 0; i < 3; i++) expect(await templates.render(SMALL, input)).toBe("hello, small");
  // At their limit of a second each they would all have been refused before.
  expect(refused.filter((message) => message.includes("longer than 1000 ms")).length).toBeLessThan(
    10,
  );
  await templates.close();
  await Promise.all(endless);
  expect(refused).toHaveLength(20);
});
