/** What /metrics tells, but for its values: families by name. */

export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Bounds of a histogram, as written. */
  readonly le?: readonly string[];
  /** Values of labels that name a kind of thing, such as a reason. */
  readonly kinds?: Readonly<Record<string, readonly string[]>>;
}

/** Labels whose values are of a server or a request, not of the family. */
const FREE = new Set(["le", "model_name", "engine", "handler", "method", "status"]);

/** Of vLLM's own series and those of HTTP; `_created` goes with its family. */
export function metricFamilies(text: string): readonly MetricFamily[] {
  const helps = new Map<string, string>();
  for (const [, name = "", help = ""] of text.matchAll(/^# HELP (\S+) (.*)$/gm)) {
    helps.set(name, help);
  }
  const families: MetricFamily[] = [];
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE ((?:vllm:|http_)\S+) (\S+)$/gm)) {
    const suffix = type === "histogram" || type === "summary" ? "(?:_bucket|_sum|_count)" : "";
    const series = text.matchAll(new RegExp(`^${name}${suffix}(?:\\{(.*)\\})? \\S+$`, "gm"));
    const values = new Map<string, Set<string>>();
    for (const [, labels = ""] of series) {
      for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        values.set(label, (values.get(label) ?? new Set()).add(value));
      }
    }
    const info = name.endsWith("_info");
    const kinds = [...values].filter(([label]) => !FREE.has(label) && !info);
    const le = values.get("le");
    families.push({
      ...{ name, type, help: helps.get(name) ?? "" },
      labels: [...values.keys()].filter((label) => label !== "le").sort(),
      ...(le !== undefined && { le: [...le] }),
      ...(kinds.length > 0 && {
        kinds: Object.fromEntries(kinds.map(([label, all]) => [label, [...all].sort()])),
      }),
    });
  }
  return families.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Requests after which every family has its series. */
export async function exercise(url: string): Promise<void> {
  const post = async (path: string, body: object = {}): Promise<void> => {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await response.text();
  };
  const parameters = { type: "object", properties: { city: { type: "string" } } };
  await post("/v1/chat/completions", {
    messages: [{ role: "user", content: "hello hello hello hello" }],
    max_tokens: 8,
    tools: [{ type: "function", function: { name: "weather", parameters } }],
  });
  await post("/sleep?level=1");
  await post("/wake_up");
}
