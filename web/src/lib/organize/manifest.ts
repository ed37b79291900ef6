/** A challenge's directory, as `referee challenge create` takes it, read in the browser. */
import { emptySettings, localTime, type SettingsForm } from './settings-form';
import type { Slot } from './uploads.svelte';

export interface Directory {
    form: SettingsForm;
    /** What is uploaded once the draft is there, images first. */
    uploads: { slot: Slot; file: File }[];
    /** What challenge.toml names and is not among the files. */
    missing: string[];
}

type Table = Record<string, unknown>;

/**
 * Reads the files of a challenge: `challenge.toml` and what it names.
 *
 * @throws {Error} with a sentence where there is no challenge.toml, or it cannot be read.
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
    const missing: string[] = [];
    const named = (path: unknown): File | null => {
        if (typeof path !== 'string') return null;
        const basename = path.split('/').at(-1);
        const found = files.find(({ name }) => name === basename);
        if (!found) missing.push(path);
        return found ?? null;
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
    form.publicImages = test.public_images !== false;
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
    return { form, uploads, missing };
}

function text(value: unknown): string {
    return value === undefined || value === null ? '' : String(value);
}

function time(value: unknown): string | null {
    return value === undefined ? null : value instanceof Date ? value.toISOString() : String(value);
}
