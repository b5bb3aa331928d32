/** What is served, on what, whose words and whose time; and a place to try it. */
import { useEffect, useState } from "preact/hooks";
import { apiKey } from "../api.ts";
import { digits } from "../figures.ts";
import "./home.css";
import { Playground } from "./playground.tsx";
import { card, healthy, hygiene, readFacts, version, watchHealth } from "./server-facts.ts";

export function Home() {
  const [failed, setFailed] = useState<string>();
  const key = apiKey.value;
  useEffect(() => {
    setFailed(undefined);
    readFacts().catch((error: unknown) => setFailed(String(error)));
  }, [key]);
  useEffect(watchHealth, []);
  const model = card.value;
  return (
    <>
      <header class="column">
        <div class="row">
          <p class="eyebrow">Serving</p>
          <Health />
          {model?.simulation === undefined ? (
            model !== undefined && <span class="tag good">computed on this machine</span>
          ) : (
            <span class="tag warn">simulated time</span>
          )}
        </div>
        <div>
          <h1>{model?.id ?? "…"}</h1>
          {model !== undefined && (
            <p class="lead">
              {model.simulation ??
                "Every token is computed here, on the CPU, from the model's own weights."}
            </p>
          )}
        </div>
        {failed !== undefined && <p class="error">{failed}</p>}
      </header>
      <Facts />
      <Notices />
      <Playground model={model?.id ?? ""} />
    </>
  );
}

/** Health and hygiene in one line. */
function Health() {
  if (healthy.value === undefined) return <span class="tag">asking</span>;
  if (!healthy.value) return <span class="tag bad">no answer</span>;
  const notices = hygiene.value?.notices ?? [];
  return (
    <span class={`tag ${notices.length === 0 ? "good" : "warn"}`}>
      {notices.length === 0
        ? "healthy"
        : `healthy; ${notices.length} notice${notices.length === 1 ? "" : "s"} on the load`}
    </span>
  );
}

/** What would falsify the load as a benchmark, in the server's words. */
function Notices() {
  const notices = hygiene.value?.notices ?? [];
  if (notices.length === 0) return null;
  return (
    <details>
      <summary class="note">As a benchmark, this load would mislead: why</summary>
      <ul class="note">
        {notices.map((notice) => (
          <li key={notice.code}>{notice.text}</li>
        ))}
      </ul>
    </details>
  );
}

function Facts() {
  const load = hygiene.value;
  return (
    <dl class="facts">
      <Fact name="Context" value={card.value?.max_model_len} unit="tokens" />
      <Fact name="Requests finished" value={load?.requests} />
      <Fact name="Mean in flight" value={load?.mean_concurrency} />
      <Fact name="Most in flight" value={load?.peak_concurrency} />
      <div>
        <dt>Behaves as vLLM</dt>
        <dd>{version.value ?? "–"}</dd>
      </div>
    </dl>
  );
}

function Fact(fact: {
  readonly name: string;
  readonly value: number | undefined;
  readonly unit?: string;
}) {
  const { name, value, unit } = fact;
  const text =
    value === undefined
      ? "–"
      : Number.isInteger(value)
        ? value.toLocaleString("en-US")
        : digits(value);
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {text} {unit !== undefined && <small>{unit}</small>}
      </dd>
    </div>
  );
}
