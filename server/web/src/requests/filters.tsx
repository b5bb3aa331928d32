/** What is looked for, as a row of fields; all of it stands in the link. */
import { type Choice, choose, MEASURES, OUTCOME_NAMES } from "./choose.ts";

export function Filters(parts: { readonly by: Choice; readonly routes: readonly string[] }) {
  const { by, routes } = parts;
  return (
    <section class="panel spec" aria-label="Filters">
      <label class="measure">
        Measure
        <select value={by.measure} onChange={(event) => choose("by", event.currentTarget.value)}>
          {Object.entries(MEASURES).map(([key, name]) => (
            <option key={key} value={key}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Order
        <select
          value={by.slowest ? "slowest" : ""}
          onChange={(event) => choose("order", event.currentTarget.value)}
        >
          <option value="">newest first</option>
          <option value="slowest">slowest first</option>
        </select>
      </label>
      <label>
        At least, ms
        <input
          type="number"
          min="0"
          value={by.least || ""}
          onInput={(event) => choose("least", event.currentTarget.value)}
        />
      </label>
      <Choose name="Outcome" of="outcome" value={by.outcome} options={OUTCOME_NAMES} />
      <Choose name="Route" of="route" value={by.route} options={routes} />
      <label class="wide">
        Id
        <input
          type="search"
          value={by.text}
          placeholder="any part of it"
          onInput={(event) => choose("find", event.currentTarget.value)}
        />
      </label>
    </section>
  );
}

function Choose(parts: {
  readonly name: string;
  /** In the link. */
  readonly of: string;
  readonly value: string;
  readonly options: readonly string[];
}) {
  const { name, of, value, options } = parts;
  const all = value === "" || options.includes(value) ? options : [...options, value];
  return (
    <label>
      {name}
      <select value={value} onChange={(event) => choose(of, event.currentTarget.value)}>
        <option value="">all</option>
        {all.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  );
}
