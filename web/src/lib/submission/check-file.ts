/** Looks at a file before a byte of it is sent: what it is, and what the server would refuse about it. */
import type { ProblemLine } from '$lib/api/schema';
import { bytes, count, counted, scaledText } from '$lib/format/numbers';
import { LineChecker, type Facts } from './check-text';
import { contentOf } from './leading-bytes';

export type { Facts } from './check-text';

export interface Verdict {
    kind: 'predictions' | 'model';
    /** `CSV, 10,000 rows`. */
    summary: string;
    /** Why it would be refused; empty where nothing was found. */
    faults: ProblemLine[];
    /** What a model's own metadata says about it. */
    metadata: Record<string, string>;
    /** Which of the two kinds of model file. */
    model?: 'safetensors' | 'onnx';
}

/** Text above this is left to the server: reading it here would take longer than a few seconds. */
const LONGEST_READ = 96 << 20;
const LONGEST_HEADER = 16 << 20;
/** Bytes of a gzip member around nothing. */
const SHORTEST_MEMBER = 18;

export const UNREADABLE = 'The file was changed, moved or deleted after it was chosen. Choose it again.';

/** Whether the browser still hands out a file: it does not once the file on the disk is another. */
export async function isReadable(file: File): Promise<boolean> {
    try {
        await file.slice(0, 1).arrayBuffer();
        return true;
    } catch {
        return false;
    }
}

export async function checkFile(file: File, facts: Facts, uploadMb: number): Promise<Verdict> {
    try {
        return await lookInto(file, facts, uploadMb);
    } catch (failure) {
        if (await isReadable(file)) throw failure;
        return { kind: 'predictions', summary: bytes(file.size), faults: [fault(UNREADABLE)], metadata: {} };
    }
}

async function lookInto(file: File, facts: Facts, uploadMb: number): Promise<Verdict> {
    const head = new Uint8Array(await file.slice(0, 1024).arrayBuffer());
    const content = contentOf(head, file.name);
    const verdict: Verdict = { kind: 'predictions', summary: bytes(file.size), faults: [], metadata: {} };
    if (content.is === 'refused') return { ...verdict, faults: [fault(content.remedy)] };
    if (file.size > uploadMb * 2 ** 20) {
        verdict.faults.push(fault(`This challenge takes files of at most ${count(uploadMb)} MiB; this one has ${bytes(file.size)}.`));
    }
    switch (content.is) {
        case 'safetensors':
            return checkSafetensors(file, verdict);
        case 'onnx':
            return { ...verdict, kind: 'model', model: 'onnx', summary: `ONNX model, ${bytes(file.size)}` };
        case 'npy':
            return checkNpy(head, facts, verdict);
        case 'gzip':
            if (typeof DecompressionStream === 'undefined' || file.size > LONGEST_READ / 8) {
                return { ...verdict, summary: `compressed, ${bytes(file.size)}` };
            }
            return checkCompressed(file, facts, verdict);
        case 'zstd':
            return { ...verdict, summary: `compressed with zstd, ${bytes(file.size)}` };
        case 'text':
            if (file.size > LONGEST_READ) return verdict;
            return checkLines(file.stream(), facts, verdict);
    }
}

async function checkCompressed(file: File, facts: Facts, verdict: Verdict): Promise<Verdict> {
    const plain = (): ReadableStream<Uint8Array<ArrayBuffer>> => file.stream().pipeThrough(new DecompressionStream('gzip'));
    try {
        const head = await firstBytes(plain(), 1024);
        const content = contentOf(head, '');
        if (content.is === 'refused') return { ...verdict, faults: [fault(content.remedy)] };
        if (content.is === 'npy') return checkNpy(head, facts, verdict);
        if (content.is !== 'text') return { ...verdict, summary: `compressed, ${bytes(file.size)}` };
        return await checkLines(plain(), facts, verdict);
    } catch {
        if (await hasMembers(file)) return { ...verdict, summary: `compressed, ${bytes(file.size)}` };
        return { ...verdict, faults: [fault('This gzip file is damaged, or not complete.')] };
    }
}

/** Whether a gzip file seems to have several members (RFC 1952, section 2.3): the server reads all, browsers may give up after the first. */
async function hasMembers(file: File): Promise<boolean> {
    const data = new Uint8Array(await file.arrayBuffer());
    return data.some((byte, at) => at >= SHORTEST_MEMBER && byte === 0x1f && data[at + 1] === 0x8b && data[at + 2] === 8 && (data[at + 3] ?? 255) < 32);
}

async function firstBytes(stream: ReadableStream<Uint8Array<ArrayBuffer>>, wanted: number): Promise<Uint8Array> {
    const reader = stream.getReader();
    let head = new Uint8Array();
    while (head.length < wanted) {
        const { done, value } = await reader.read();
        if (done) break;
        const longer = new Uint8Array(head.length + value.length);
        longer.set(head);
        longer.set(value, head.length);
        head = longer;
    }
    await reader.cancel();
    return head.slice(0, wanted);
}

async function checkLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>, facts: Facts, verdict: Verdict): Promise<Verdict> {
    const checker = new LineChecker(facts);
    const reader = stream.pipeThrough(new TextDecoderStream('utf-8', { ignoreBOM: true })).getReader();
    let rest = '';
    let complete = false;
    while (!checker.full) {
        const { done, value } = await reader.read();
        if (done) {
            complete = true;
            break;
        }
        const lines = (rest + value).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) checker.line(line);
    }
    if (complete) {
        if (rest !== '') checker.line(rest);
        checker.finish();
    } else {
        await reader.cancel();
    }
    const what = checker.format === 'CSV' ? 'row' : 'line';
    return {
        ...verdict,
        summary: `${checker.format === 'CSV' ? 'CSV' : 'text'}, ${complete ? counted(checker.rows, what) : verdict.summary}`,
        faults: [...verdict.faults, ...checker.faults],
    };
}

/** NPY's header is a Python dictionary: `{'descr': '<f4', 'fortran_order': False, 'shape': (10000, 10), }`. */
function checkNpy(head: Uint8Array, { images, classes, ownColumns }: Facts, verdict: Verdict): Verdict {
    const text = new TextDecoder('latin1').decode(head);
    const descr = /'descr':\s*'([^']+)'/.exec(text)?.[1] ?? '';
    const shape = (/'shape':\s*\(([^)]*)\)/.exec(text)?.[1] ?? '')
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean)
        .map(Number);
    const faults = [...verdict.faults];
    const shown = `[${shape.join(', ')}]`;
    if (/'fortran_order':\s*True/.test(text)) {
        faults.push(fault('The array is in Fortran order. Save np.ascontiguousarray(array).'));
    }
    const isFloat = /^[<>=|]?f/.test(descr);
    const isInteger = /^[<>=|]?[iu]/.test(descr);
    if (!isFloat && !isInteger) faults.push(fault(`The array holds “${descr}”; integers (classes) or floats (scores) are expected.`));
    if (shape.length === 0 || shape.length > 2) {
        faults.push(fault(`The shape is ${shown}; [N], [N, up to 5] or scores [N, ${classes}] are expected.`));
    } else {
        if (images !== null && shape[0] !== images) {
            faults.push(fault(`The array has ${count(shape[0] ?? 0)} rows; this challenge has ${count(images)} test images.`));
        }
        const columns = shape[1] ?? 1;
        if (isFloat && columns !== classes && columns !== ownColumns) {
            faults.push(fault(`Scores for ${columns} classes; this challenge has ${classes}.`));
        }
        // Six columns of integers are the canonical record.
        if (isInteger && columns > 6) faults.push(fault(`${columns} classes in a row; at most 5 count.`));
    }
    return { ...verdict, summary: `NPY, ${isFloat ? 'scores' : 'classes'} ${shown}`, faults };
}

async function checkSafetensors(file: File, verdict: Verdict): Promise<Verdict> {
    const found: Verdict = { ...verdict, kind: 'model', model: 'safetensors' };
    const length = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
    if (length > LONGEST_HEADER || 8 + length > file.size) {
        return { ...found, faults: [fault('The file is cut short, or no safetensors file.')] };
    }
    try {
        const header = JSON.parse(await file.slice(8, 8 + length).text()) as Record<string, { shape?: number[] }>;
        const { __metadata__: metadata, ...tensors } = header;
        const scalars = Object.values(tensors).reduce(
            (sum, { shape = [] }) => sum + shape.reduce((product, size) => product * size, 1),
            0,
        );
        return {
            ...found,
            summary: `safetensors, ${counted(Object.keys(tensors).length, 'tensor')}, ${scaledText(scalars)} numbers, ${bytes(file.size)}`,
            metadata: (metadata ?? {}) as Record<string, string>,
        };
    } catch {
        return { ...found, faults: [fault('The header of this safetensors file is not valid JSON.')] };
    }
}

function fault(detail: string): ProblemLine {
    return { line: null, row: null, detail };
}
