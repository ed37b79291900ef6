/** The settings of a challenge as they are typed: text everywhere, checked field by field, then as the API's documents. */
import { only, type Some } from '$lib/api/client';
import type { ChallengeDocument, ChallengePatch, ChallengeSettings, Class } from '$lib/api/schema';

export interface SettingsForm {
    slug: string;
    title: string;
    series: string;
    description: string;
    /** One a line; a second, tab-separated column is an id. */
    classes: string;
    /** A longer list that holds them, which files are over; empty for none. */
    widerClasses: string;
    publicImages: boolean;
    /** In which order the names of the test images are counted; empty where it is not said. */
    imageOrder: '' | 'bytes' | 'natural';
    /** As `<input type="datetime-local">` writes it, in the visitor's zone; empty for none. */
    opens: string;
    closes: string;
    afterClose: 'reject' | 'score';
    perDay: string;
    perWeek: string;
    total: string;
    uploadMb: string;
    primary: '' | 'top1' | 'top5';
    /** In percent. */
    publicPercent: string;
    feedback: 'exact' | 'ladder';
    ranking: 'best' | 'latest';
    finalSelections: string;
    referenceLabel: string;
    /** In percent. */
    referencePercent: string;
    outsideData: 'declared' | 'forbidden';
}

export type SettingsFaults = Partial<Record<keyof SettingsForm, string>>;

export function emptySettings(): SettingsForm {
    return {
        slug: '',
        title: '',
        series: '',
        description: '',
        classes: '',
        widerClasses: '',
        publicImages: true,
        imageOrder: '',
        opens: '',
        closes: '',
        afterClose: 'reject',
        perDay: '20',
        perWeek: '',
        total: '',
        uploadMb: '1024',
        primary: '',
        publicPercent: '30',
        feedback: 'exact',
        ranking: 'best',
        finalSelections: '1',
        referenceLabel: '',
        referencePercent: '',
        outsideData: 'declared',
    };
}

/** The form of a challenge that is there. */
export function settingsOf(challenge: ChallengeDocument): SettingsForm {
    const { schedule, limits, leaderboard, rules } = challenge;
    const limit = (value: number | null | undefined): string => (value ? String(value) : '');
    return {
        slug: challenge.slug,
        title: challenge.title,
        series: challenge.series ?? '',
        description: challenge.description,
        classes: classText(challenge.classes),
        widerClasses: classText(challenge.test.wider_classes ?? []),
        publicImages: challenge.test.public_images,
        imageOrder: challenge.test.order ?? '',
        opens: localTime(schedule.opens),
        closes: localTime(schedule.closes),
        afterClose: schedule.after_close,
        perDay: limit(limits.per_day),
        perWeek: limit(limits.per_week),
        total: limit(limits.total),
        uploadMb: String(limits.upload_mb),
        primary: leaderboard.primary,
        publicPercent: String(Number((100 * leaderboard.public_fraction).toFixed(6))),
        feedback: leaderboard.feedback,
        ranking: leaderboard.ranking,
        finalSelections: String(leaderboard.final_selections),
        referenceLabel: leaderboard.reference?.label ?? '',
        referencePercent: leaderboard.reference ? String(Number((100 * leaderboard.reference.error).toFixed(6))) : '',
        outsideData: rules.outside_data,
    };
}

/**
 * What is wrong, by field; empty where nothing is. The server checks again.
 *
 * @param was The close that the challenge has, as the form writes it: it may be over.
 */
export function settingsFaults(form: SettingsForm, was = '', now = new Date()): SettingsFaults {
    const faults: SettingsFaults = {};
    const slug = /^[a-z0-9-]{2,40}$/;
    if (form.title.trim() === '') faults.title = 'Name the challenge.';
    if (!slug.test(form.slug)) faults.slug = '2 to 40 small letters, digits and hyphens.';
    if (form.series !== '' && !slug.test(form.series)) faults.series = '2 to 40 small letters, digits and hyphens.';
    const classes = parseClasses(form.classes);
    const names = classes.flatMap(({ name, id }) => (id ? [name, id] : [name]));
    const seen = new Set<string>();
    const twice = names.find((name) => seen.size === seen.add(name).size);
    if (classes.length < 2) faults.classes = 'At least two classes, one a line.';
    else if (/^\s*[{[]\s*["{[]?/.test(form.classes) && /[}\]]\s*$/.test(form.classes))
        faults.classes = 'This looks like JSON. Write one class name a line; `referee challenge create` reads id2label and the like.';
    else if (classes.some(({ name }) => name === '')) faults.classes = `Line ${classes.findIndex(({ name }) => name === '') + 1} has no name.`;
    else if (twice !== undefined) faults.classes = `“${twice}” is there twice.`;
    const wider = parseClasses(form.widerClasses);
    const known = new Set(wider.flatMap(({ name, id }) => (id ? [name, id] : [name])));
    const absent = classes.find(({ name, id }) => !known.has(name) && !(id && known.has(id)));
    if (wider.length > 0 && absent) faults.widerClasses = `“${absent.name}” is not in it.`;
    else if (wider.length > 0 && wider.length <= classes.length) faults.widerClasses = 'It must hold more classes than the challenge has.';
    if (form.opens !== '' && utcTime(form.opens) === null) faults.opens = LONG_YEAR;
    const closes = form.closes === was ? null : closeFault(form.closes, form.opens, now);
    if (closes !== null) faults.closes = closes;
    for (const name of ['perDay', 'perWeek', 'total'] as const) {
        if (form[name].trim() !== '' && !isCount(form[name])) faults[name] = 'A whole number from 1, or nothing for no limit.';
    }
    if (!isCount(form.uploadMb)) faults.uploadMb = 'A whole number from 1.';
    if (!isCount(form.finalSelections) || Number(form.finalSelections) > 1000) faults.finalSelections = 'A whole number from 1 to 1000.';
    const percent = Number(form.publicPercent);
    if (form.publicPercent.trim() === '' || !(percent > 0 && percent <= 100)) faults.publicPercent = 'Above 0 and at most 100.';
    if (form.referencePercent.trim() !== '') {
        const reference = Number(form.referencePercent);
        if (!(reference >= 0 && reference <= 100)) faults.referencePercent = 'From 0 to 100.';
        if (form.referenceLabel.trim() === '') faults.referenceLabel = 'Say what it is: human, say.';
    } else if (form.referenceLabel.trim() !== '') {
        faults.referencePercent = 'Give its error, or leave both out.';
    }
    return faults;
}

const LONG_YEAR = 'A year has four digits here.';

/** What is wrong with a close, as typed: one that is over would end the challenge for good, unasked. */
export function closeFault(closes: string, opens: string, now: Date): string | null {
    if (closes === '') return null;
    if (utcTime(closes) === null) return LONG_YEAR;
    if (opens !== '' && new Date(closes) <= new Date(opens)) return 'Later than the opening.';
    return new Date(closes) <= now ? 'This is over. Give a time to come; “Close now”, in the overview, ends a challenge at once.' : null;
}

/** The body that creates the challenge. */
export function newChallenge(form: SettingsForm): ChallengeSettings {
    return only<ChallengeSettings>({ slug: form.slug, ...common(form), series: form.series || null });
}

/** The body that changes `challenge` to what the form says: only what differs. */
export function changesOf(form: SettingsForm, challenge: ChallengeDocument): ChallengePatch {
    const before = common(settingsOf(challenge));
    const after = common(form);
    const changes: Record<string, unknown> = {};
    for (const [section, value] of Object.entries(after)) {
        const was: unknown = before[section as keyof typeof before];
        if (JSON.stringify(was) === JSON.stringify(value)) continue;
        changes[section] = isSection(value) && isSection(was) ? differing(was, value) : value;
    }
    if (challenge.test.wider_classes && !form.widerClasses.trim()) {
        changes.test = { ...(isSection(changes.test) ? changes.test : {}), wider_classes: null };
    }
    if (form.series !== (challenge.series ?? '')) changes.series = form.series || null;
    return changes as ChallengePatch;
}

function common(form: SettingsForm) {
    const limit = (text: string): number | null => (text.trim() === '' ? null : Number(text));
    return {
        title: form.title.trim(),
        description: form.description,
        classes: parseClasses(form.classes),
        test: {
            public_images: form.publicImages,
            ...(form.imageOrder ? { order: form.imageOrder } : {}),
            ...(form.widerClasses.trim() ? { wider_classes: parseClasses(form.widerClasses) } : {}),
        },
        schedule: { opens: utcTime(form.opens), closes: utcTime(form.closes), after_close: form.afterClose },
        limits: { per_day: limit(form.perDay), per_week: limit(form.perWeek), total: limit(form.total), upload_mb: Number(form.uploadMb) },
        leaderboard: {
            ...(form.primary ? { primary: form.primary } : {}),
            public_fraction: Number(form.publicPercent) / 100,
            feedback: form.feedback,
            ranking: form.ranking,
            final_selections: Number(form.finalSelections),
            reference: form.referencePercent.trim()
                ? { label: form.referenceLabel.trim(), error: Number(form.referencePercent) / 100 }
                : null,
        },
        rules: { outside_data: form.outsideData },
    } satisfies Some<ChallengeSettings>;
}

function isSection(value: unknown): value is Record<string, unknown> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function differing(before: Record<string, unknown>, after: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(
        Object.entries(after).filter(([name, value]) => JSON.stringify(before[name]) !== JSON.stringify(value)),
    );
}

/** A slug for a challenge of that title: `Éclairs & Co.` is `eclairs-co`. */
export function slugOf(title: string): string {
    return title
        .toLowerCase()
        .normalize('NFKD')
        .replace(/\p{Mark}/gu, '')
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 40);
}

function classText(classes: readonly Class[]): string {
    return classes.map(({ name, id }) => (id ? `${name}\t${id}` : name)).join('\n');
}

export function parseClasses(text: string): Class[] {
    const lines = text.replace(/\r/g, '').replace(/\n+$/, '').split('\n');
    if (lines.length === 1 && lines[0] === '') return [];
    // synset_words.txt and LOC_synset_mapping.txt: the WNID, then the words.
    const synsets = lines.map((line) => /^(n\d{8})[ \t]+(?!n\d{8}$)(\S[^\t]*)$/.exec(line.trim()));
    if (synsets.every((synset) => synset !== null)) {
        const words = synsets.map(([, id = '', name = '']) => ({ name, id }));
        const isShared = (name: string): boolean => words.filter((other) => other.name === name).length > 1;
        return words.map(({ name, id }) => ({ name: isShared(name) ? `${name} (${id})` : name, id }));
    }
    return lines.map((line) => {
        const [name = '', id] = line.split('\t');
        return id?.trim() ? { name: name.trim(), id: id.trim() } : { name: name.trim() };
    });
}

function isCount(text: string): boolean {
    return /^[1-9][0-9]{0,8}$/.test(text.trim());
}

/** `2026-01-31T14:05`, in the visitor's zone; with seconds where there are some. */
export function localTime(time: string | null | undefined): string {
    if (!time) return '';
    const date = new Date(time);
    return new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
        .toISOString()
        .slice(0, 19)
        .replace(/:00$/, '');
}

/** RFC 3339 in UTC; `null` for none, and for a year of more than four digits, which some browsers let one type. */
export function utcTime(local: string): string | null {
    const time = new Date(local);
    return Number.isNaN(time.getTime()) ? null : time.toISOString();
}
