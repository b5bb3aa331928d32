/** The answer as it comes; with log-probabilities, the less likely a token the stronger its ground. */
import { digits, duration } from "../figures.ts";
import { pieces, running, type TokenSeen } from "./conversation.ts";

export function Answer() {
  const list = pieces.value;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls is reached by keyboard
    <div class="answer" aria-live="polite" aria-busy={running.value} tabIndex={0}>
      {list.length === 0 && (
        <span class="empty">{running.value ? "…" : "The answer streams in here."}</span>
      )}
      {list.map((piece, index) => (
        <span class={piece.kind} key={index} title={`after ${duration(piece.at)}`}>
          {piece.tokens.length === 0
            ? piece.text
            : piece.tokens.map((token, index) => <Token key={index} token={token} at={piece.at} />)}
        </span>
      ))}
    </div>
  );
}

function Token({ token, at }: { readonly token: TokenSeen; readonly at: number }) {
  const doubt = Math.round(46 * (1 - Math.exp(token.logprob)));
  const share = (logprob: number): string => `${digits(100 * Math.exp(logprob))} %`;
  const others = token.others.map(
    (other) => `${JSON.stringify(other.text)} ${share(other.logprob)}`,
  );
  return (
    <span
      class="token"
      style={{ "--doubt": `${doubt}%` }}
      title={[`after ${duration(at)}`, ...others].join("\n")}
    >
      {token.text}
    </span>
  );
}
