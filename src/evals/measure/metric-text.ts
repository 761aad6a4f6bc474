import type { MetricInfo } from '../task.js';

type Unit = Pick<MetricInfo, 'unit'>;

const digits = ({ unit }: Unit, value: number) => value.toFixed(unit === '%' ? 1 : 2);

/** A value for people: `61.3 %`, or without a unit `0.71`. */
export function valueText(info: Unit, value: number): string {
  return `${digits(info, value)}${info.unit === '%' ? ' %' : ''}`;
}

/** The ends of an interval: `60.1 to 62.4`. */
export function rangeText(info: Unit, [low, high]: readonly [number, number]): string {
  return `${digits(info, low)} to ${digits(info, high)}`;
}

/** A value with its interval, if it has one: `61.3 % (60.1 to 62.4)`. */
export function metricText(info: Unit, value: number, interval: readonly [number, number] | undefined): string {
  return `${valueText(info, value)}${interval ? ` (${rangeText(info, interval)})` : ''}`;
}
