/** A challenge's directory, as `referee challenge create` takes it, read in the browser. */
import { emptySettings, localTime, type SettingsForm } from './settings-form';
import type { Slot } from './uploads.svelte';

export interface Directory {
    form: SettingsForm;
    /** What is uploaded once the draft is there, images first. */
    uploads: { slot: Slot; file: File }[];
    /** What challenge.toml names and is not among the files. */
    missing: string[];
    /** Keys of challenge.toml that mean nothing: `limits.per_hour`. */
    unknown: string[];
}

type Table = Record<string, unknown>;

/** Every key of challenge.toml, by section; `files` may have any. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
    '': ['slug', 'title', 'series', 'description', 'classes', 'test', 'validation', 'files', 'schedule', 'limits', 'leaderboard', 'rules', 'access'],
    test: ['images', 'labels', 'order', 'public_images', 'wider_classes'],
    validation: ['images', 'labels'],
    schedule: ['opens', 'closes', 'after_close'],
    limits: ['per_day', 'per_week', 'total', 'upload_mb'],
    leaderboard: ['primary', 'public_fraction', 'feedback', 'ranking', 'final_selections', 'reference'],
    rules: ['outside_data'],
    access: ['visibility'],
};

/**
 * Reads the files of a challenge: `challenge.toml` and what it names.
 *
 * A file dropped with its folder is known by its path. One chosen without is known by its name alone, which will do where
 * challenge.toml names no other file of that name.
 *
 * @throws {Error} with a sentence where there is no challenge.toml, it cannot be read, a file could be one of several, or not
 * everyone is to see the challenge.
 */
export async function readDirectory(files: readonly File[]): Promise<Directory> {
    const manifest = files.find(({ name }) => name === 'challenge.toml') ?? files.find(({ name }) => name.endsWith('.toml'));
    if (!manifest) throw new Error('There is no challenge.toml among these files. Add it, or fill the form by hand.');
    const { parse } = await import('smol-toml');
    let toml: Table;
    try {
        toml = parse(await manifest.text()) as Table;
    } catch (error) {
        throw new Error(`challenge.toml: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    const { visibility = 'public' } = (toml.access ?? {}) as Table;
    if (visibility !== 'public') {
        throw new Error(`challenge.toml: access.visibility is ${JSON.stringify(visibility)}, but every challenge is public here. Leave it out.`);
    }
    const root = folderOf(pathOf(manifest));
    const paths = namedPaths(toml);
    const missing: string[] = [];
    const named = (path: unknown): File | null => {
        if (typeof path !== 'string') return null;
        const wanted = path.replace(/^\.\//, '');
        const exact = files.find((file) => pathOf(file) === root + wanted);
        if (exact) return exact;
        const same = files.filter((file) => file.name === nameOf(wanted) && pathOf(file) === file.name);
        const rivals = paths.filter((other) => nameOf(other) === nameOf(wanted));
        if (same.length > 0 && rivals.length > 1) {
            throw new Error(
                `challenge.toml names ${rivals.join(' and ')}, and ${nameOf(wanted)} came without its folder. Drop the whole directory, or give the files different names.`,
            );
        }
        if (same.length === 0) missing.push(path);
        return same[0] ?? null;
    };

    const form = emptySettings();
    const [test, validation, schedule, limits, leaderboard, rules] = (
        ['test', 'validation', 'schedule', 'limits', 'leaderboard', 'rules'] as const
    ).map((section) => (toml[section] ?? {}) as Table) as [Table, Table, Table, Table, Table, Table];
    form.slug = text(toml.slug);
    form.title = text(toml.title);
    form.series = text(toml.series);
    form.description = (await named(toml.description)?.text()) ?? '';
    form.classes = (await named(toml.classes)?.text()) ?? '';
    form.widerClasses = (await named(test.wider_classes)?.text()) ?? '';
    form.publicImages = test.public_images !== false;
    if (test.order === 'bytes' || test.order === 'natural') form.imageOrder = test.order;
    form.opens = localTime(time(schedule.opens));
    form.closes = localTime(time(schedule.closes));
    if (schedule.after_close === 'score') form.afterClose = 'score';
    form.perDay = text(limits.per_day);
    form.perWeek = text(limits.per_week);
    form.total = text(limits.total);
    form.uploadMb = text(limits.upload_mb) || '1024';
    if (leaderboard.primary === 'top1' || leaderboard.primary === 'top5') form.primary = leaderboard.primary;
    form.publicPercent = String(Number((100 * Number(leaderboard.public_fraction ?? 1)).toFixed(6)));
    if (leaderboard.feedback === 'ladder') form.feedback = 'ladder';
    if (leaderboard.ranking === 'latest') form.ranking = 'latest';
    form.finalSelections = text(leaderboard.final_selections) || '1';
    const reference = (leaderboard.reference ?? {}) as Table;
    form.referenceLabel = text(reference.label);
    if (typeof reference.error === 'number') form.referencePercent = String(Number((100 * reference.error).toFixed(6)));
    if (rules.outside_data === 'forbidden') form.outsideData = 'forbidden';

    const wanted: [Slot, unknown][] = [
        ['images', test.images],
        ['labels', test.labels],
        ['validation/images', validation.images],
        ['validation/labels', validation.labels],
        ...Object.entries((toml.files ?? {}) as Table).map(([key, path]): [Slot, unknown] => [`files/${key}`, path]),
    ];
    const uploads = wanted.flatMap(([slot, path]) => {
        const file = named(path);
        return file ? [{ slot, file }] : [];
    });
    return { form, uploads, missing, unknown: unknownKeys(toml) };
}

/**
 * `form` with what challenge.toml and its files say now, `read`, where it is not what they said `before`, if they were read
 * before: what somebody has typed since then stays.
 */
export function readInto(form: SettingsForm, before: SettingsForm | null, read: SettingsForm): SettingsForm {
    const news = Object.entries(read).filter(([field, value]) => before?.[field as keyof SettingsForm] !== value);
    return { ...form, ...Object.fromEntries(news) };
}

/** Where a file lay in what was dropped or chosen; its name alone where nobody knows. */
export function pathOf(file: File): string {
    return file.webkitRelativePath || file.name;
}

function folderOf(path: string): string {
    return path.slice(0, path.lastIndexOf('/') + 1);
}

function nameOf(path: string): string {
    return path.slice(path.lastIndexOf('/') + 1);
}

/** The files that challenge.toml names, each once. */
function namedPaths(toml: Table): string[] {
    const { test, validation, files } = toml as Record<string, Table | undefined>;
    const values = [toml.description, toml.classes, test?.wider_classes, test?.images, test?.labels, validation?.images, validation?.labels];
    const paths = [...values, ...Object.values(files ?? {})].filter((value) => typeof value === 'string');
    return [...new Set(paths.map((path) => path.replace(/^\.\//, '')))];
}

function unknownKeys(toml: Table): string[] {
    return Object.entries(KEYS).flatMap(([section, known]) => {
        const table = section === '' ? toml : ((toml[section] ?? {}) as Table);
        const strange = Object.keys(table).filter((key) => !known.includes(key));
        return strange.map((key) => (section === '' ? key : `${section}.${key}`));
    });
}

function text(value: unknown): string {
    return value === undefined || value === null ? '' : String(value);
}

function time(value: unknown): string | null {
    return value === undefined ? null : value instanceof Date ? value.toISOString() : String(value);
}
