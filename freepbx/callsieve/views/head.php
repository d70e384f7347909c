<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */

use FreePBX\modules\Callsieve\Page;
use FreePBX\modules\Callsieve\Words;

$state = Page::text($status, 'screening');
[$headline, $colour] = Words::state($state);
$policy = is_array($status['policy'] ?? null) ? Page::text($status['policy'], 'name') : '';
$hour = is_array($status['last_hour'] ?? null) ? $status['last_hour'] : [];
$troubles = array_filter((array) ($status['trouble'] ?? []), 'is_array');
$tabs = ['calls' => _('Calls'), 'lists' => _('Block and allow'), 'policy' => _('Policy')];
$meanings = [
	_('screened') => _('CallSieve is asked about each call before a phone rings.'),
	_('policy') => _('The action for a call, by the evidence against the caller.'),
	_('label') => _('A text before the caller\'s name on the phone, such as SPAM?'),
	_('whisper') => _('A spoken warning to whoever picks up. The caller does not hear it.'),
];
?>
<style>
	#callsieve form { display: inline-block; margin: 0 .3em .3em 0; }
	#callsieve .callsieve-cards { display: flex; flex-wrap: wrap; gap: 1em; }
	#callsieve .callsieve-cards > div { flex: 1 1 16em; border: 1px solid #ccc; border-radius: 4px; padding: 1em; }
	#callsieve abbr { cursor: help; margin-right: 1em; }
	#callsieve .nav-tabs { margin-bottom: 1em; }
	#callsieve pre { white-space: pre-wrap; }
	#callsieve td { overflow-wrap: break-word; }
	@media (max-width: 767px) {
		#callsieve table thead { display: none; }
		#callsieve table tr { display: block; padding: .5em 0; border-bottom: 2px solid #ccc; }
		#callsieve table td { display: block; border: 0; overflow-wrap: anywhere; padding: .2em .5em; }
		#callsieve table td[data-label]:not(:empty)::before { content: attr(data-label) ": "; font-weight: bold; }
		#callsieve input, #callsieve select { max-width: 100%; }
	}
</style>
<div class="container-fluid" id="callsieve">
	<h1>CallSieve</h1>
	<?php if ($note['text'] !== '') { ?>
		<div class="alert alert-info" id="callsieve-note"><?php echo nl2br($e($note['text'])) ?>
			<?php if ($note['undo']) { ?>
				<form method="post"><input type="hidden" name="token" value="<?php echo $e($token) ?>"><input type="hidden" name="changes" value="<?php echo $e(implode(' ', $note['undo'])) ?>"><button class="btn btn-default btn-sm" name="do" value="undo"><?php echo $e(_('Undo')) ?></button></form>
			<?php } ?>
			<?php if ($note['retry']) { ?>
				<form method="post">
					<?php foreach ($note['retry'] as $name => $value) { ?><input type="hidden" name="<?php echo $e($name) ?>" value="<?php echo $e($name === 'token' ? $token : $value) ?>"><?php } ?>
					<button class="btn btn-danger btn-sm"><?php echo $e(_('Do it anyway')) ?></button>
				</form>
			<?php } ?>
		</div>
	<?php } ?>
	<div class="alert alert-<?php echo $e($colour) ?>" id="callsieve-state">
		<strong><?php echo $e($headline) ?></strong>
		<?php if (Words::time($status['since'] ?? null) !== '') { echo $e(sprintf(_('since %s'), Words::time($status['since']))); } ?>
		<?php if (Words::time($status['until'] ?? null) !== '') { echo $e(sprintf(_('until %s'), Words::time($status['until']))); } ?>
		<?php if ($policy !== '') { ?><div><?php echo $e(sprintf(_('Policy: %s.'), $policy)) ?> <?php if ($hour) { echo $e(sprintf(_('In the last hour: %d calls, %d without a decision.'), (int) ($hour['calls'] ?? 0), (int) ($hour['failed_open'] ?? 0))); } ?></div><?php } ?>
		<?php if (!in_array($state, ['on', 'off'], true)) { ?><div><?php echo $e(Page::text($status, 'why')) ?></div><?php } ?>
		<?php if ($problem !== '') { ?><div id="callsieve-problem"><?php echo $e($problem) ?></div><?php } ?>
	</div>
	<?php if ($state === 'off') { ?>
		<form method="post"><input type="hidden" name="token" value="<?php echo $e($token) ?>"><button class="btn btn-primary" name="do" value="on"><?php echo $e(_('Switch on')) ?></button></form>
	<?php } else { ?>
		<form method="post" class="form-inline">
			<input type="hidden" name="token" value="<?php echo $e($token) ?>">
			<button class="btn btn-default" name="do" value="off"><?php echo $e(_('Switch off')) ?></button>
			<select class="form-control" name="for" aria-label="<?php echo $e(_('For how long')) ?>"><?php foreach (Words::durations() as $value => $name) { ?><option value="<?php echo $e($value) ?>"><?php echo $e($name) ?></option><?php } ?></select>
			<input class="form-control" name="reason" maxlength="200" placeholder="<?php echo $e(_('Why? Others will see it.')) ?>" aria-label="<?php echo $e(_('Reason')) ?>">
		</form>
	<?php } ?>
	<?php if ($address !== '') { ?><a class="btn btn-default" id="callsieve-console" href="<?php echo $e($address) ?>" target="_blank" rel="noopener noreferrer"><?php echo $e(_('CallSieve\'s console')) ?></a><?php } ?>
	<p><?php foreach ($meanings as $word => $meaning) { ?><abbr title="<?php echo $e($meaning) ?>"><?php echo $e($word) ?></abbr><?php } ?></p>

	<?php if ($troubles) { ?>
		<h2><?php echo $e(_('Problems')) ?></h2>
		<ul id="callsieve-trouble">
			<?php foreach ($troubles as $one) { ?>
				<li><strong><?php echo $e(Page::text($one, 'name')) ?></strong>: <?php echo $e(Page::text($one, 'detail')) ?>
					<?php if (Page::text($one, 'remedy') !== '') { ?><br>&rarr; <code><?php echo $e(Page::text($one, 'remedy')) ?></code><?php } ?></li>
			<?php } ?>
		</ul>
	<?php } ?>
	<?php if ($clashes) { ?>
		<h2><?php echo $e(_('Feature codes that another module has')) ?></h2>
		<p><?php echo $e(_('These codes are switched off. Give the features other codes in Admin > Feature Codes.')) ?></p>
		<ul><?php foreach ($clashes as $code => $description) { ?><li><?php echo $e("$code: $description") ?></li><?php } ?></ul>
	<?php } ?>
	<?php if ($unscreened) { ?>
		<p><?php echo $e(sprintf(_('Inbound routes that are not screened: %s'), implode(', ', array_map(fn ($route) => $route === '/' ? _('any DID') : rtrim($route, '/'), $unscreened)))) ?></p>
	<?php } ?>
	<?php if (!$signed) { ?><p class="text-muted"><small><?php echo $e(_('FreePBX shows a yellow banner, because this module has no signature that FreePBX accepts. To check that nobody has changed the module, compare the hash of its package with the published one.')) ?></small></p><?php } ?>
	<ul class="nav nav-tabs">
		<?php foreach ($tabs as $name => $title) { ?><li<?php echo $name === $tab ? ' class="active"' : '' ?>><a href="?display=callsieve&amp;view=<?php echo $e($name) ?>"><?php echo $e($title) ?></a></li><?php } ?>
	</ul>
