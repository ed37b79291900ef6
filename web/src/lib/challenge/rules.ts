/** A challenge's settings as sentences. */
import type { ChallengeDocument, Limits } from '$lib/api/schema';
import { count, counted, percent } from '$lib/format/numbers';
import { listed } from '$lib/format/prose';

export interface Rule {
    title: string;
    /** Sentences. */
    text: string;
}

/** What holds in a challenge, from its settings: what ranks, what is seen when, how often, until when. */
export function rulesOf(challenge: ChallengeDocument): Rule[] {
    return [
        { title: 'What ranks', text: ranking(challenge) },
        ...(challenge.test.wider_classes ? [{ title: 'Which classes', text: widerClasses(challenge.classes.length, challenge.test.wider_classes.length) }] : []),
        { title: 'What you see', text: feedback(challenge) },
        ...(challenge.leaderboard.public_fraction < 1 ? [{ title: 'What decides', text: decision(challenge) }] : []),
        { title: 'How often', text: limits(challenge.limits, challenge.test.public_images) },
        { title: 'Data from elsewhere', text: outsideData(challenge) },
        { title: 'After the close', text: afterClose(challenge) },
    ];
}

/** Whether competitors may submit now. Organizers may always, as a baseline. */
export function takesFiles({ state, schedule }: Pick<ChallengeDocument, 'state' | 'schedule'>): boolean {
    return state === 'open' || (state === 'closed' && schedule.after_close === 'score');
}

/** Whether a model can be sent: without test images there is nothing to run it on. Private ones are there, and not listed. */
export function takesModels({ test }: Pick<ChallengeDocument, 'test'>): boolean {
    return !test.public_images || Boolean(test.file);
}

export function primaryName(challenge: Pick<ChallengeDocument, 'leaderboard'>): string {
    return challenge.leaderboard.primary === 'top1' ? 'top-1 error' : 'top-5 error';
}

function ranking(challenge: ChallengeDocument): string {
    const first = primaryName(challenge);
    const second = first === 'top-1 error' ? 'top-5 error' : 'top-1 error';
    const meaning =
        first === 'top-1 error'
            ? 'the share of images whose first guess is wrong'
            : 'the share of images whose class is not among the five guesses';
    const which =
        challenge.leaderboard.ranking === 'best' ? 'A team stands with its best submission.' : 'A team stands with its latest submission.';
    return `Teams are ranked by ${first}, ${meaning}; then by ${second}, then by who was earlier. ${which}`;
}

/** Of a challenge whose classes are some of a longer list. */
function widerClasses(own: number, wider: number): string {
    return (
        `The ${count(own)} classes are some of a longer list of ${count(wider)}, and that list is what files and models are over: indices count through it, in text from 1. ` +
        `Of scores, the columns of the ${count(wider - own)} other classes are left out; a guess of such a class is wrong. ` +
        `A file or model over the ${count(own)} classes alone says so (classes=challenge).`
    );
}

function feedback({ leaderboard }: ChallengeDocument): string {
    const part =
        leaderboard.public_fraction < 1
            ? `the public board shows the error on ${percent(leaderboard.public_fraction, 0)} of the test images, drawn once and kept secret`
            : 'the board shows the error on all test images';
    const ladder =
        leaderboard.feedback === 'ladder'
            ? ' A team’s score moves only when a submission is significantly better than its last accepted one (the ladder), so that the board cannot be used to tune against.'
            : '';
    return `While the challenge is open, ${part}.${ladder}`;
}

function decision({ leaderboard }: ChallengeDocument): string {
    const most = leaderboard.final_selections;
    const selected =
        most === 1
            ? 'Each team may select one submission for it'
            : `Each team may select up to ${most} submissions for it, of which the better one counts`;
    return `The other ${percent(1 - leaderboard.public_fraction, 0)} stay private until the close and decide the final board. ${selected}; without a selection, the one on the public board counts.`;
}

function limits({ per_day, per_week, total, upload_mb }: Limits, publicImages: boolean): string {
    const parts = [
        per_day === null ? '' : `${count(per_day)} a day (UTC)`,
        per_week === null ? '' : `${count(per_week)} a week (Monday to Sunday, UTC)`,
        total === null ? '' : `${count(total)} in all`,
    ].filter(Boolean);
    const often = parts.length > 0 ? `A team may submit ${listed(parts)}. ${publicImages ? 'Rejected files do not count.' : 'What is rejected does not count, unless a model had run on the hidden images.'}` : 'As often as you like.';
    return `${often} A file may have up to ${count(upload_mb)} MiB.`;
}

function outsideData({ rules }: ChallengeDocument): string {
    return rules.outside_data === 'forbidden'
        ? 'Only the data of this challenge may be used. Every submission says so.'
        : 'Allowed if declared: every submission says whether it used data from elsewhere, and the board marks those that did.';
}

function afterClose({ schedule, leaderboard }: ChallengeDocument): string {
    const late =
        schedule.after_close === 'score'
            ? 'Submissions are still scored, marked late and never ranked.'
            : 'Nothing is accepted any more. What counts is when the first byte arrives.';
    return leaderboard.public_fraction < 1 ? `${late} The private board is published.` : late;
}

/** `10,000 images`, `10 classes`: the facts in one line. */
export function sizeOf({ images, classes }: { images?: number | null; classes: readonly unknown[] }): string {
    const parts = [images ? `${count(images)} test images` : '', counted(classes.length, 'class', 'classes')];
    return parts.filter(Boolean).join(', ');
}
