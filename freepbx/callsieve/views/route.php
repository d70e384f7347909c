<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var bool $screened */
/** @var callable $e */
?>
<div class="element-container">
	<div class="row">
		<div class="form-group">
			<div class="col-md-3">
				<label class="control-label" for="callsieve_screen"><?php echo $e(_('Screen calls with CallSieve')) ?></label>
				<i class="fa fa-question-circle fpbx-help-icon" data-for="callsieve_screen"></i>
			</div>
			<div class="col-md-9 radioset">
				<input type="radio" name="callsieve_screen" id="callsieve_screenyes" value="yes"<?php echo $screened ? ' checked' : '' ?>>
				<label for="callsieve_screenyes"><?php echo $e(_('Yes')) ?></label>
				<input type="radio" name="callsieve_screen" id="callsieve_screenno" value="no"<?php echo $screened ? '' : ' checked' ?>>
				<label for="callsieve_screenno"><?php echo $e(_('No')) ?></label>
			</div>
		</div>
	</div>
	<div class="row">
		<div class="col-md-12">
			<span id="callsieve_screen-help" class="help-block fpbx-help-block"><?php echo $e(_('Choose No for lines of fax machines, alarms and lifts: their calls are neither screened nor marked.')) ?></span>
		</div>
	</div>
</div>
