import type { PickleCursor } from './pickle-cursor.js';
import { Inert, PickleError, type TorchValue } from './torch-value.js';

/** Work that a pickle may ask for: opcodes, and elements put into containers. Large checkpoints need a tenth of it. */
const MAX_WORK = 2_000_000;
/** Containers inside containers. */
const MAX_DEPTH = 100;
/** Letters of a module or class. */
const MAX_NAME = 1000;
/** Newest pickle protocol that is read. */
const PROTOCOL = 5;

/** What stands for a call, from its arguments, which are unchecked. */
export type Reducer = (args: readonly TorchValue[]) => TorchValue;

/** What gives a meaning to the names in a pickle; all other names stay {@link Inert}. */
export interface PickleMeaning {
  /** By module and name of the function or class. */
  readonly reducers: ReadonlyMap<string, Reducer>;
  /** What stands for a persistent id. */
  persistent(id: TorchValue): TorchValue;
}

/**
 * Reads one pickle of protocol 2 to 5 and leaves the cursor behind it. Nothing is executed or imported. Work, nesting and
 * memory are bounded; a value that refers to itself other than by an object of an unknown class is refused.
 * @throws {PickleError} the pickle is damaged, hostile, or uses what state dicts never do.
 */
export function unpickle(cursor: PickleCursor, meaning: PickleMeaning): TorchValue {
  return new Unpickler(cursor, meaning).run();
}

/** The stack machine that a pickle is a program for. Source: CPython Lib/pickle.py `_Unpickler`. */
class Unpickler {
  readonly memo = new Map<number, TorchValue>();
  #stack: TorchValue[] = [];
  /** The stacks below each mark. */
  readonly #below: TorchValue[][] = [];
  readonly #depths = new Map<object, number>();
  /** What lies inside another container: it may not grow any more, so that nothing can contain itself. */
  readonly #sealed = new Set<object>();
  #work = 0;

  constructor(
    readonly cursor: PickleCursor,
    readonly meaning: PickleMeaning,
  ) {}

  run(): TorchValue {
    for (;;) {
      const position = this.cursor.position;
      const code = this.cursor.byte();
      if (code === STOP) return this.pop();
      const operation = operations.get(code);
      if (operation === undefined) {
        throw new PickleError(`expected pickle protocol 2 to ${PROTOCOL}, received opcode ${code} at byte ${position}`);
      }
      this.spend(1);
      operation(this);
    }
  }

  spend(work: number): void {
    this.#work += work;
    if (this.#work > MAX_WORK)
      throw new PickleError(`its pickle has more than ${MAX_WORK} parts, far more than a state dict needs`);
  }

  push(value: TorchValue): void {
    this.#stack.push(value);
  }

  pop(): TorchValue {
    const value = this.#stack.pop();
    if (value === undefined) throw new PickleError('its pickle takes a value from an empty stack');
    return value;
  }

  top(): TorchValue {
    const value = this.#stack.at(-1);
    if (value === undefined) throw new PickleError('its pickle looks at an empty stack');
    return value;
  }

  mark(): void {
    this.#below.push(this.#stack);
    this.#stack = [];
  }

  /** Everything above the last mark, which goes too. */
  popMark(): TorchValue[] {
    const values = this.#stack;
    const below = this.#below.pop();
    if (below === undefined) throw new PickleError('its pickle lacks a mark');
    this.#stack = below;
    return values;
  }

  popText(): string {
    const value = this.pop();
    if (typeof value !== 'string') throw new PickleError('its pickle names a class by something that is no text');
    // A long text that is remembered could be copied into name after name.
    if (value.length > MAX_NAME)
      throw new PickleError(`its pickle names a class by ${value.length} letters, expected up to ${MAX_NAME}`);
    return value;
  }

  remembered(index: number): TorchValue {
    const value = this.memo.get(index);
    if (value === undefined) throw new PickleError(`its pickle refers to part ${index}, which it does not have`);
    return value;
  }

  /** Notes that children are going into a container. */
  contain(container: object, children: readonly TorchValue[]): void {
    this.spend(children.length);
    if (this.#sealed.has(container)) throw selfReference();
    let depth = this.#depths.get(container) ?? 0;
    for (const child of children) {
      if (!isContainer(child)) continue;
      if (child === container) throw selfReference();
      this.#sealed.add(child);
      depth = Math.max(depth, 1 + (this.#depths.get(child) ?? 0));
    }
    if (depth > MAX_DEPTH) throw new PickleError(`its values are nested more than ${MAX_DEPTH} deep`);
    this.#depths.set(container, depth);
  }

  pushTuple(values: TorchValue[]): void {
    this.contain(values, values);
    this.push(values);
  }

  append(values: readonly TorchValue[]): void {
    const target = this.top();
    if (target instanceof Set) {
      this.contain(target, values);
      for (const value of values) target.add(value);
      return;
    }
    if (target instanceof Inert) target.items ??= [];
    const list = target instanceof Inert ? target.items : target;
    if (!Array.isArray(list)) throw new PickleError('its pickle appends to something that is no list');
    this.contain(target as object, values);
    for (const value of values) list.push(value);
  }

  setItems(pairs: readonly TorchValue[]): void {
    const target = this.top();
    if (target instanceof Inert) target.entries ??= new Map();
    const map = target instanceof Inert ? target.entries : target;
    if (!(map instanceof Map) || pairs.length % 2 !== 0)
      throw new PickleError('its pickle sets items of something that is no dictionary');
    this.contain(target as object, pairs);
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i]!, pairs[i + 1]!);
  }

  pushMap(pairs: readonly TorchValue[]): void {
    this.push(new Map());
    this.setItems(pairs);
  }

  /** A call of a function or class by its name: a known one has a meaning, all others stay as they are written. */
  call(callee: TorchValue, args: TorchValue): TorchValue {
    if (!(callee instanceof Inert) || !Array.isArray(args))
      throw new PickleError('its pickle calls something that is no class or function');
    // Reducers may walk through their arguments.
    for (const arg of args) this.spend(Array.isArray(arg) ? 1 + arg.length : 1);
    const reducer = callee.args === undefined ? this.meaning.reducers.get(callee.className) : undefined;
    const result = reducer ? reducer(args) : new Inert(callee.className, args);
    if (isContainer(result) && !args.includes(result)) this.contain(result, [args]);
    return result;
  }

  /** State of an instance; attributes of dictionaries and parameters are nothing that we keep. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (!(target instanceof Inert)) return;
    this.contain(target, [state]);
    target.state = state;
  }
}

/**
 * What readers walk through. Objects of unknown classes are none: they may refer to what they lie in, as the settings of
 * OmegaConf do.
 */
function isContainer(value: TorchValue): value is TorchValue[] | Map<TorchValue, TorchValue> | Set<TorchValue> {
  return Array.isArray(value) || value instanceof Map || value instanceof Set;
}

function selfReference(): PickleError {
  return new PickleError('it holds a value that contains itself');
}

const STOP = 0x2e;

/** What each opcode does. Text opcodes of protocols 0 and 1 are left out but for those that protocol 2 still writes. */
const operations: ReadonlyMap<number, (u: Unpickler) => void> = new Map<number, (u: Unpickler) => void>([
  [0x80, (u) => checkProtocol(u.cursor.byte())],
  [0x95, (u) => void u.cursor.uint64()],
  // values
  [code('N'), (u) => u.push(null)],
  [0x88, (u) => u.push(true)],
  [0x89, (u) => u.push(false)],
  [code('J'), (u) => u.push(u.cursor.int32())],
  [code('K'), (u) => u.push(u.cursor.byte())],
  [code('M'), (u) => u.push(u.cursor.uint16())],
  [0x8a, (u) => u.push(u.cursor.integer(u.cursor.byte()))],
  [0x8b, (u) => u.push(u.cursor.integer(u.cursor.uint32()))],
  [code('G'), (u) => u.push(u.cursor.float64())],
  [0x8c, (u) => u.push(u.cursor.text(u.cursor.byte()))],
  [code('X'), (u) => u.push(u.cursor.text(u.cursor.uint32()))],
  [0x8d, (u) => u.push(u.cursor.text(u.cursor.uint64()))],
  [code('U'), (u) => u.push(u.cursor.text(u.cursor.byte()))],
  [code('T'), (u) => u.push(u.cursor.text(u.cursor.uint32()))],
  [code('C'), (u) => u.push(u.cursor.bytes(u.cursor.byte()))],
  [code('B'), (u) => u.push(u.cursor.bytes(u.cursor.uint32()))],
  [0x8e, (u) => u.push(u.cursor.bytes(u.cursor.uint64()))],
  [0x96, (u) => u.push(u.cursor.bytes(u.cursor.uint64()))],
  // containers
  [code('('), (u) => u.mark()],
  [code(')'), (u) => u.push([])],
  [0x85, (u) => u.pushTuple([u.pop()])],
  [0x86, (u) => u.pushTuple([u.pop(), u.pop()].reverse())],
  [0x87, (u) => u.pushTuple([u.pop(), u.pop(), u.pop()].reverse())],
  [code('t'), (u) => u.pushTuple(u.popMark())],
  [code(']'), (u) => u.push([])],
  [code('l'), (u) => u.pushTuple(u.popMark())],
  [code('a'), (u) => u.append([u.pop()])],
  [code('e'), (u) => u.append(u.popMark())],
  [code('}'), (u) => u.push(new Map())],
  [code('d'), (u) => u.pushMap(u.popMark())],
  [code('s'), (u) => u.setItems([u.pop(), u.pop()].reverse())],
  [code('u'), (u) => u.setItems(u.popMark())],
  [0x8f, (u) => u.push(new Set())],
  [0x90, (u) => u.append(u.popMark())],
  [0x91, pushFrozenSet],
  // the stack and what is remembered
  [code('0'), (u) => void u.pop()],
  [code('1'), (u) => void u.popMark()],
  [code('2'), (u) => u.push(u.top())],
  [code('h'), (u) => u.push(u.remembered(u.cursor.byte()))],
  [code('j'), (u) => u.push(u.remembered(u.cursor.uint32()))],
  [code('q'), (u) => void u.memo.set(u.cursor.byte(), u.top())],
  [code('r'), (u) => void u.memo.set(u.cursor.uint32(), u.top())],
  [0x94, (u) => void u.memo.set(u.memo.size, u.top())],
  // names, calls and instances
  [code('c'), (u) => u.push(new Inert(`${u.cursor.line()}.${u.cursor.line()}`))],
  [0x93, (u) => u.push(new Inert([u.popText(), u.popText()].reverse().join('.')))],
  [code('R'), callTop],
  [0x81, callTop],
  [0x92, callWithKeywords],
  [code('o'), (u) => callClass(u, u.popMark())],
  [code('b'), (u) => u.build()],
  [code('Q'), (u) => u.push(u.meaning.persistent(u.pop()))],
]);

function code(letter: string): number {
  return letter.charCodeAt(0);
}

function checkProtocol(version: number): void {
  if (version > PROTOCOL) throw new PickleError(`expected pickle protocol 2 to ${PROTOCOL}, received ${version}`);
}

function pushFrozenSet(u: Unpickler): void {
  const values = u.popMark();
  u.push(new Set());
  u.append(values);
}

function callTop(u: Unpickler): void {
  const args = u.pop();
  u.push(u.call(u.pop(), args));
}

/** An instance of a class of Python 2: the class, then its arguments. */
function callClass(u: Unpickler, [callee = null, ...args]: TorchValue[]): void {
  u.pushTuple(args);
  u.push(u.call(callee, u.pop()));
}

function callWithKeywords(u: Unpickler): void {
  const [keywords, args] = [u.pop(), u.pop()];
  if (!Array.isArray(args)) throw new PickleError('its pickle calls a class without a list of arguments');
  u.pushTuple([...args, keywords]);
  callTop(u);
}
