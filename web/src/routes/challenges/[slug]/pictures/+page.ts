import { boardsOf } from '$lib/leaderboard/boards';
import type { PageLoad } from './$types';

export const load: PageLoad = async (event) => boardsOf(event.params.slug, event.parent().then(({ challenge }) => challenge), event);
