// Figures as people read them.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat("en", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

export function count(value: number | null | undefined): string {
  return value == null ? "–" : whole.format(value);
}

export function rate(value: number | null | undefined): string {
  if (value == null) return "–";
  return value < 10 && value > 0 ? oneDigit.format(value) : whole.format(value);
}

// 0.4 ms, 84 ms, 1.3 s, 2 min 5 s
export function duration(ms: number | null | undefined): string {
  if (ms == null) return "–";
  if (ms === 0) return "0 ms";
  if (ms < 10) return `${oneDigit.format(ms)} ms`;
  if (ms < 999.5) return `${whole.format(ms)} ms`;
  if (ms < 59_950) return `${oneDigit.format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

export function percent(share: number | null | undefined): string {
  if (share == null) return "–";
  const value = share * 100;
  if (value > 0 && value < 0.1) return "<0.1 %";
  return `${value > 0 && value < 10 ? oneDigit.format(value) : whole.format(value)} %`;
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let rest = value;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1024;
    ++unit;
  }
  return `${rest >= 100 || unit === 0 ? whole.format(rest) : oneDigit.format(rest)} ${units[unit]}`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function clockTime(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toLocaleTimeString("en-GB");
}
