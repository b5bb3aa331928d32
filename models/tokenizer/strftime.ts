/** Python's strftime in the C locale, in local time: what `strftime_now` of chat templates gives. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** Directives that are not known stay as they are. `%-d` drops the zero before a number, as glibc does. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)([a-zA-Z%])/g, (whole, flag: string, letter: string) => {
    const text = directive(date, letter);
    if (text === undefined) return whole;
    return flag === "-" ? text.replace(/^0+(?=\d)/, "") : text;
  });
}

function directive(date: Date, letter: string): string | undefined {
  const day = DAYS[date.getDay()] ?? "";
  const month = MONTHS[date.getMonth()] ?? "";
  const two = (value: number): string => String(value).padStart(2, "0");
  switch (letter) {
    case "Y":
      return String(date.getFullYear());
    case "y":
      return two(date.getFullYear() % 100);
    case "m":
      return two(date.getMonth() + 1);
    case "d":
      return two(date.getDate());
    case "e":
      return String(date.getDate()).padStart(2, " ");
    case "H":
      return two(date.getHours());
    case "I":
      return two(date.getHours() % 12 || 12);
    case "M":
      return two(date.getMinutes());
    case "S":
      return two(date.getSeconds());
    case "p":
      return date.getHours() < 12 ? "AM" : "PM";
    case "A":
      return day;
    case "a":
      return day.slice(0, 3);
    case "B":
      return month;
    case "b":
    case "h":
      return month.slice(0, 3);
    case "j":
      return String(dayOfYear(date)).padStart(3, "0");
    case "F":
      return strftime(date, "%Y-%m-%d");
    case "T":
    case "X":
      return strftime(date, "%H:%M:%S");
    case "D":
    case "x":
      return strftime(date, "%m/%d/%y");
    case "%":
      return "%";
    default:
      return undefined;
  }
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 0);
  const today = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((today - start) / 86_400_000);
}
