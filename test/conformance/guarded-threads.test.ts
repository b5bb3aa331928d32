/** Endless work of one client and small work of another, on the threads they share. */
import { afterEach, expect, it } from "vitest";
import type { TemplateAnswer, TemplateTask } from "../../server/generation/request-template.ts";
import { RequestTemplates } from "../../server/generation/request-template.ts";
import { GuardedThread, ThreadBusyError } from "../../server/guarded-thread.ts";

let templates: RequestTemplates | undefined;
let thread: GuardedThread<TemplateTask, TemplateAnswer> | undefined;
afterEach(async () => {
  await Promise.all([templates?.close(), thread?.close()]);
});

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
  const own = new RequestTemplates({});
  templates = own;
  expect(await own.render(SMALL, input)).toBe("hello, small");
  const refused: string[] = [];
  const endless = Array.from({ length: 20 }, (_, i) =>
    own.render(make(i), input).then(
      () => {
        throw new Error("It ended.");
      },
      (error: Error) => refused.push(error.message),
    ),
  );
  for (let i = 0; i < 3; i++) expect(await own.render(SMALL, input)).toBe("hello, small");
  // At their limit of a second each they would all have been refused before.
  expect(refused.filter((message) => message.includes("longer than 1000 ms")).length).toBeLessThan(
    10,
  );
  await own.close();
  await Promise.all(endless);
  expect(refused).toHaveLength(20);
});

it("what takes long waits beside the queue, as many as may, and small work goes on", async () => {
  const own = new GuardedThread<TemplateTask, TemplateAnswer>(
    "../../server/generation/request-template-thread",
    import.meta.url,
    { timeLimitMs: 60_000, quickMs: 25, maxWaiting: 3 },
  );
  thread = own;
  const render = (template: string) =>
    own.run({ source: { templates: new Map([["default", template]]), tokens: {} }, input });
  const told: Error[] = [];
  let begun = 0;
  /** None of them ends by itself. */
  const endless = (count: number): void => {
    for (const last = begun + count; begun < last; begun++) {
      void render(`${begun}${LOOP}`).catch((error) => told.push(error));
    }
  };
  endless(4); // two go on, two wait for their threads
  expect(await render(SMALL)).toEqual({ ok: true, text: "hello, small" });
  endless(2); // one waits with them, the other is one too many
  await expect
    .poll(() => told.map(({ message }) => message), { timeout: 50_000 })
    .toEqual(["Too many requests that take long are under way."]);
  expect(await render(SMALL)).toEqual({ ok: true, text: "hello, small" });
  expect(told).toHaveLength(1);
  await own.close();
  await expect.poll(() => told.length).toBe(6);
  for (const error of told) expect(error).toBeInstanceOf(ThreadBusyError);
});

it("a task that no client can make longer has a limit of its own", async () => {
  const own = new GuardedThread<TemplateTask, TemplateAnswer>(
    "../../server/generation/request-template-thread",
    import.meta.url,
    { timeLimitMs: 20, maxWaiting: 3 },
  );
  thread = own;
  const long = `${"{% for i in range(500) %}".repeat(2)}${"{% endfor %}".repeat(2)}done`;
  const task = { source: { templates: new Map([["default", long]]), tokens: {} }, input };
  await expect(own.run(task)).rejects.toThrow("longer than 20 ms");
  expect(await own.run(task, undefined, 60_000)).toEqual({ ok: true, text: "done" });
});

it("what nests too deeply to be handed over is refused, and takes no thread from others", async () => {
  const own = new RequestTemplates({});
  templates = own;
  const deep: unknown = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  for (let i = 0; i < 4; i++) {
    await expect(own.render(SMALL, { messages: [deep] })).rejects.toThrow("was not rendered");
  }
  expect(await own.render(SMALL, input)).toBe("hello, small");
});
