/**
 * A real vllm-router (`pip install vllm-router`) in front of two servers of ours:
 *
 *     node --import tsx scripts/maintain/routers/vllm-router.ts PATH_TO_VLLM_ROUTER [FIRST_PORT [cpu|trainium]]
 *
 * Claims: it finds where each worker publishes its KV events by itself and credits a
 * prefix that was computed before; requests that are not supported open no circuit.
 * Exit code 1 when one fails.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Fleet, startFleet } from "./fleet.ts";

const [router = "vllm-router", firstPort = "9400", device = "cpu"] = process.argv.slice(2);
const served = device === "trainium" ? device : "cpu";
/** More than opens a circuit (10 by default). */
const EACH = 15;

const fleet = await startFleet(Number(firstPort), served, ({ port, metricsPort, workers }) => [
  router,
  ...["--port", String(port), "--worker-urls", ...workers, "--policy", "kv_aware"],
  ...["--prometheus-port", String(metricsPort), "--prometheus-host", "127.0.0.1"],
  ...["--log-level", "debug"],
]);
let failed = 0;
try {
  await findsEvents(fleet);
  await opensNoCircuit(fleet);
} finally {
  await fleet.stop();
}
process.exitCode = failed === 0 ? 0 : 1;

function claim(what: string, holds: boolean): void {
  if (!holds) failed++;
  process.stdout.write(`${holds ? "holds" : "FAILS"}  ${what}\n`);
}

async function post(path: string, body: object): Promise<number> {
  const response = await fetch(`${fleet.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

async function findsEvents({ workers, routerLog }: Fleet): Promise<void> {
  const spawned = workers.filter((worker) => routerLog().includes(`${worker}: spawned subscriber`));
  claim(`event sources found: ${spawned.length} of ${workers.length}`, spawned.length === 2);
  const system = "You tell stories of the animals of the wood, slowly and in short words. ".repeat(
    4,
  );
  for (let story = 1; story <= 3; story++) {
    await post("/v1/chat/completions", {
      ...{ model: "m", max_tokens: 4, temperature: 0 },
      messages: [
        { role: "system", content: system },
        { role: "user", content: `Story ${story}.` },
      ],
    });
    await sleep(500); // events arrive after the answer
  }
  const credits = [...routerLog().matchAll(/credited_prefix_tokens=(\d+)/g)].map(([, n]) =>
    Number(n),
  );
  claim(
    `prefix tokens credited, chat by chat: ${credits.join(", ")}`,
    credits[0] === 0 && credits.slice(1).every((credit) => credit > 0),
  );
}

async function opensNoCircuit({ routerMetrics }: Fleet): Promise<void> {
  const ask = { model: "m", messages: [{ role: "user", content: "hi" }], max_tokens: 2 };
  const image = [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }];
  const schema = { type: "json_schema", json_schema: { name: "x", schema: { type: "none" } } };
  const cases: readonly (readonly [string, string, object])[] = [
    ["a model that is not served", "/v1/chat/completions", { ...ask, model: "nobody" }],
    ["an image", "/v1/chat/completions", { ...ask, messages: [{ role: "user", content: image }] }],
    ["a wrong temperature", "/v1/chat/completions", { ...ask, temperature: -1 }],
    ["a schema that is none", "/v1/chat/completions", { ...ask, response_format: schema }],
    ["a prompt too long", "/v1/completions", { model: "m", prompt: Array(20_000).fill(5) }],
    [
      "repetition_detection",
      "/v1/completions",
      { model: "m", prompt: "hi", repetition_detection: { max_pattern_size: 3, min_count: 2 } },
    ],
    [
      "an unknown response",
      "/v1/responses",
      { model: "m", input: "hi", previous_response_id: "resp_0" },
    ],
    ["messages that are none", "/v1/messages", { model: "m", messages: "hi", max_tokens: 1 }],
    ["embeddings", "/v1/embeddings", { model: "m", input: "hi" }],
    ["reranking", "/v1/rerank", { model: "m", query: "a", documents: ["b"] }],
    ["ids in and out", "/inference/v1/generate", { token_ids: [1], sampling_params: {} }],
  ];
  for (const [what, path, body] of cases) {
    const statuses = new Set<number>();
    for (let i = 0; i < EACH; i++) statuses.add(await post(path, body));
    const told = [...statuses].join(", ");
    claim(
      `${what}: ${told}, ${EACH} times`,
      [...statuses].every((one) => one >= 400 && one < 500),
    );
  }
  const metrics = await (await fetch(routerMetrics)).text();
  const states = [...metrics.matchAll(/^vllm_router_cb_state\{.*\} (\d+)$/gm)].map(([, n]) => n);
  const failures = /^vllm_router_cb_outcomes_total\{.*outcome="failure"\} (\d+)$/m.exec(metrics);
  claim(
    `circuits: ${states.join(", ")} (0: closed)`,
    states.length > 0 && states.every((one) => one === "0"),
  );
  claim(`failures counted against workers: ${failures?.[1] ?? 0}`, failures === null);
  const after = new Set<number>();
  for (let i = 0; i < EACH; i++) after.add(await post("/v1/chat/completions", ask));
  claim(`served after it: ${[...after].join(", ")}`, after.size === 1 && after.has(200));
}
